"""Frames in a scene of the user: what of it a recipe may vary, how that is drawn, and the record of it."""
