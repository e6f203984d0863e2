"""Generators: a dataset or photographs in, a dataset out."""
