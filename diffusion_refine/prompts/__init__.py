"""The words of prompts, and captions made of them."""
