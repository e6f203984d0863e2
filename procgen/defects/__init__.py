"""Defects as fields over a surface: one module a mechanism."""
