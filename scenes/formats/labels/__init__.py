"""Formats whose labels stand in files of their own: as run lengths, polygons or boxes."""
