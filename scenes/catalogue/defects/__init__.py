"""Kinds of defect that a recipe can name, one module a kind."""
