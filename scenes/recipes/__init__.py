"""Recipes: read, checked, sampled into scenes; those that ship."""
