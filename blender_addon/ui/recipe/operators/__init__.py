"""Operators, one module a panel."""
