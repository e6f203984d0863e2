"""Corrosion as fields over a surface: pits, uniform rust, filiform threads."""
