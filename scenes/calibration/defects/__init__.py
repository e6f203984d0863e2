"""Sizes, contrasts and frequencies of a recipe's defects, class by class as masks of real ones say."""
