"""Blender's stage for drawn scenes: its material, its passes, and the labels read from them."""
