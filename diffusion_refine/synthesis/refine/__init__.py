"""Defects of a dataset denoised anew by a diffusion model, and turned into others."""
