"""Refinement of rendered datasets by diffusion; torch and diffusers belong here and in `anomaly` alone."""
