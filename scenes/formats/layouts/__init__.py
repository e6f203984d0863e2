"""Formats of folders: the class of a picture is where it lies, its defects are marked in a mask beside it."""
