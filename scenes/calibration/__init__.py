"""Fitting the distributions of a recipe to photographs of good parts: all of `blemish calibrate` but rendering."""
