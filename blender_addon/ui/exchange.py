"""Between the panel's settings and recipes: either says all that the other does.

`to_recipe(settings)` raises RecipeError where the settings make no recipe; `from_recipe(recipe, settings)` sets all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpy

    from scenes.recipe import Recipe


def to_recipe(settings: bpy.types.PropertyGroup) -> Recipe:
    """The recipe that the settings describe. Raises RecipeError where they contradict each other."""
    raise NotImplementedError


def from_recipe(recipe: Recipe, settings: bpy.types.PropertyGroup) -> None:
    """Set the settings to what a recipe says."""
    raise NotImplementedError
