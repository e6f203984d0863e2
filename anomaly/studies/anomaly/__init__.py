"""Inspectors trained on real pictures, on renders and on both, after [Mao 2025], section V, on any set."""
