"""Every kind of part that a recipe can name.

One module a kind. It holds the recipe's section, with `drawn` that turns it into concrete dimensions, and these, with
`built` that turns them into a mesh and the chart of its inspected surface. To add a kind, write its module and name its
two classes here.
"""

from functools import lru_cache
from typing import Annotated

from pydantic import Field

from scenes.atlas import Part
from scenes.parts.arc_segment import ArcSegment, ArcSegmentRecipe
from scenes.parts.plate import Plate, PlateRecipe

PartRecipe = Annotated[PlateRecipe | ArcSegmentRecipe, Field(discriminator="kind")]
Shape = Annotated[Plate | ArcSegment, Field(discriminator="kind")]


@lru_cache(maxsize=2)
def build_part(shape: Plate | ArcSegment) -> Part:
    """The part that a scene describes; the same object for the same shape, as long as it is remembered."""
    return shape.built()
