"""Every kind of part that a recipe can name, one module a kind, found by itself.

A module holds the recipe's section, with `sample` that turns it into concrete dimensions, and these, with `build` that
turns them into a mesh and the charts of its inspected surface; its ENTRIES say what it is.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from scenes.catalogue.entry import PartEntry, chosen_by_kind, discovered
from scenes.geometry.atlas import Part
from scenes.parts.part_model import DrawnPart, PartRecipeModel

ENTRIES = discovered(__name__, PartEntry)

if TYPE_CHECKING:
    PartRecipe = PartRecipeModel
    Shape = DrawnPart
else:
    PartRecipe = chosen_by_kind(entry.recipe for entry in ENTRIES)
    Shape = chosen_by_kind(entry.drawn for entry in ENTRIES)


@lru_cache(maxsize=2)
def build_part(shape: Shape) -> Part:
    """The part that a scene describes; the same object for the same shape, as long as it is remembered."""
    return shape.build()
