"""Meshes, their atlases of texels, and triangles on grids."""
