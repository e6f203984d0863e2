"""Inspectors on the page of a dataset: what they say of its frames, and how far its features lie from real ones."""
