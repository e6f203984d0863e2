"""A latent diffusion model as every method sees it: conditions, noise levels, attention."""
