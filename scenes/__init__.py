"""Recipes, parts, light, camera and sensor; drawing scenes from them, and the dataset on disk.

The names below are loaded when first used, so that `import scenes` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenes.dataset import Dataset, DatasetError, DatasetWriter, Frame
    from scenes.drawing import draw
    from scenes.maps import surface_maps
    from scenes.parts import build_part
    from scenes.recipe import Recipe, RecipeError, load_recipe
    from scenes.scene import Scene
    from scenes.sensor import develop

_HOME = {
    "Dataset": "dataset",
    "DatasetError": "dataset",
    "DatasetWriter": "dataset",
    "Frame": "dataset",
    "Recipe": "recipe",
    "RecipeError": "recipe",
    "Scene": "scene",
    "build_part": "parts",
    "develop": "sensor",
    "draw": "drawing",
    "load_recipe": "recipe",
    "surface_maps": "maps",
}

__all__ = [
    "Dataset",
    "DatasetError",
    "DatasetWriter",
    "Frame",
    "Recipe",
    "RecipeError",
    "Scene",
    "build_part",
    "develop",
    "draw",
    "load_recipe",
    "surface_maps",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value
