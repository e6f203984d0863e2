"""Every kind of part that a recipe can name.

One module a kind. It holds the recipe's section, with `sample` that turns it into concrete dimensions, and these, with
`build` that turns them into a mesh and the charts of its inspected surface. To add a kind, write its module and name
its two classes here.
"""

from functools import lru_cache
from typing import Annotated

from pydantic import Field

from scenes.geometry.atlas import Part
from scenes.parts.arc_segment import ArcSegment, ArcSegmentRecipe
from scenes.parts.ball_screw import BallScrew, BallScrewRecipe
from scenes.parts.bearing_race import BearingRace, BearingRaceRecipe
from scenes.parts.bolt import Bolt, BoltRecipe
from scenes.parts.bracket import Bracket, BracketRecipe
from scenes.parts.disc import Disc, DiscRecipe, Ring, RingRecipe
from scenes.parts.gear import Gear, GearRecipe
from scenes.parts.hex_nut import HexNut, HexNutRecipe
from scenes.parts.insert import Insert, InsertRecipe
from scenes.parts.mesh import MeshPart, MeshRecipe
from scenes.parts.pcb import Pcb, PcbRecipe
from scenes.parts.photo import Photo
from scenes.parts.plate import Plate, PlateRecipe
from scenes.parts.shaft import Shaft, ShaftRecipe

PartRecipe = Annotated[
    ArcSegmentRecipe
    | BallScrewRecipe
    | BearingRaceRecipe
    | BoltRecipe
    | BracketRecipe
    | DiscRecipe
    | GearRecipe
    | HexNutRecipe
    | InsertRecipe
    | MeshRecipe
    | PcbRecipe
    | PlateRecipe
    | RingRecipe
    | ShaftRecipe,
    Field(discriminator="kind"),
]
Shape = Annotated[
    ArcSegment
    | BallScrew
    | BearingRace
    | Bolt
    | Bracket
    | Disc
    | Gear
    | HexNut
    | Insert
    | MeshPart
    | Pcb
    | Photo
    | Plate
    | Ring
    | Shaft,
    Field(discriminator="kind"),
]


@lru_cache(maxsize=2)
def build_part(shape: Shape) -> Part:
    """The part that a scene describes; the same object for the same shape, as long as it is remembered."""
    return shape.build()
