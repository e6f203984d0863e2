"""Edits by words alone: a word of the prompt becomes another, at the place where the two attend to [Jo 2025]."""
