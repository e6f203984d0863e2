"""Kinds of finish, defect and impurity that a recipe can name, one module a kind; `registry` finds them by itself."""
