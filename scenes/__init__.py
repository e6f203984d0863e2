"""Recipes, parts, light, camera and sensor; drawing scenes from them, and the dataset on disk.

The names below are loaded when first used, so that `import scenes` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenes.camera.sensor import develop
    from scenes.datasets.dataset import Dataset, DatasetError, DatasetWriter, Frame
    from scenes.maps import surface_maps
    from scenes.parts import build_part
    from scenes.recipes.reading import RecipeError
    from scenes.recipes.recipe import Recipe, load_recipe
    from scenes.recipes.sampling import draw
    from scenes.scene import Scene

_HOME = {
    "Dataset": "datasets.dataset",
    "DatasetError": "datasets.dataset",
    "DatasetWriter": "datasets.dataset",
    "Frame": "datasets.dataset",
    "Recipe": "recipes.recipe",
    "RecipeError": "recipes.reading",
    "Scene": "scene",
    "build_part": "parts",
    "develop": "camera.sensor",
    "draw": "recipes.sampling",
    "load_recipe": "recipes.recipe",
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
