"""Blender processes: what they are told, how they are followed, and the loop within."""
