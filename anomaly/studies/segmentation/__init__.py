"""Semantic segmentation: networks by name, losses, crops, and what is counted of a prediction."""
