"""Kinds of finish that a recipe can name, one module a kind."""
