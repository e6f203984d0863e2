"""The panel Preview: the part in the viewport."""
