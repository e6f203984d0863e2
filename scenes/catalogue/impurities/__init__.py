"""Kinds of impurity that a recipe can name, one module a kind."""
