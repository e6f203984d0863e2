"""Impurities as fields over a surface: what lies on it and can be wiped off."""
