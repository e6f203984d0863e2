"""The panel Learn."""
