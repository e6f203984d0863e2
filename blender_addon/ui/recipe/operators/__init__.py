"""Operators and menus of what a recipe says, one module a panel."""
