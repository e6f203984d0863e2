"""Printed circuit boards: their layout, its look, and what goes wrong with the copper."""
