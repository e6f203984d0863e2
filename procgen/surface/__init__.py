"""What every surface is made of: its points, the layers on them, noise, placement, paths."""
