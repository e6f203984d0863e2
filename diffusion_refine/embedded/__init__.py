"""The diffusion model that Blemish trains on its own renders: its tokenizer, shapes, pictures, training and weights."""
