"""Where on a part the things of a recipe lie."""
