"""A round disc or a ring with chamfered edges, lying flat: washers, seals, lapped faces."""

import math
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Part
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.parts.solids import Body, Formula, circle, lifted, rectangle, relief, revolved, straight, turn
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent, Offset, together
from scenes.quantities.scene_model import NotNegative, Positive


class RoundRecipe(PartRecipeModel):
    """What is framed by its diameter."""

    diameter_mm: Extent = Field(description="Diameter from side to side")

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return self.diameter_mm.low

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return self.diameter_mm.high


class Round(DrawnPart):
    """What is framed by its diameter, m."""

    diameter: Positive

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return self.diameter

    @property
    def framed_height(self) -> float:
        """And top to bottom."""
        return self.diameter


class BoredRecipe(RoundRecipe):
    """Likewise, with a bore whose wall is inspected, too."""

    bore_mm: Extent = Field(title="Bore", description="Diameter of the hole in the middle")

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return max(self.diameter_mm.high, math.pi * self.bore_mm.high)


class DiscRecipe(RoundRecipe):
    """A flat disc with a chamfered edge."""

    kind: Literal["disc"]
    thickness_mm: Extent = Field(description="Thickness of the part")
    chamfer_mm: Offset = Field(Constant(0.0), description="Width of the bevel along the edges")

    @model_validator(mode="after")
    def _solid(self) -> Self:
        chamfer_fits(self.chamfer_mm.low, self.chamfer_mm.high, self.thickness_mm.low, self.diameter_mm.low / 2)
        return self

    def sample(self, stream: RandomStream) -> "Disc":
        """The disc of one frame."""
        return Disc(**stream.quantities(self))


class Disc(Round):
    """The dimensions of one disc, metres."""

    kind: Literal["disc"] = "disc"
    thickness: Positive
    chamfer: NotNegative

    def build(self) -> Part:
        """The disc's mesh and chart: its upper side with the chamfer."""
        radii = [self.diameter / 2, self.diameter / 2 - self.chamfer, 0.0]
        return turned_face(radii, lambda r: -np.maximum(r - radii[1], 0), self.thickness)


class RingRecipe(BoredRecipe):
    """A flat ring with chamfered edges."""

    kind: Literal["ring"]
    thickness_mm: Extent = Field(description="Thickness of the part")
    chamfer_mm: Offset = Field(Constant(0.0), description="Width of the bevel along the edges")

    @model_validator(mode="after")
    def _solid(self) -> Self:
        wall = (self.diameter_mm.low - self.bore_mm.high) / 2
        if wall <= 0:
            raise together(
                f"found bore_mm up to {self.bore_mm.high:g} in a diameter_mm from {self.diameter_mm.low:g}; "
                "expected a bore smaller than the ring"
            )
        chamfer_fits(self.chamfer_mm.low, self.chamfer_mm.high, self.thickness_mm.low, wall / 2)
        return self

    def sample(self, stream: RandomStream) -> "Ring":
        """The ring of one frame."""
        return Ring(**stream.quantities(self))


class Ring(Round):
    """The dimensions of one ring, metres."""

    kind: Literal["ring"] = "ring"
    bore: Positive
    thickness: Positive
    chamfer: NotNegative

    def build(self) -> Part:
        """The ring's mesh and charts: its upper side with both chamfers, and the wall of its bore."""
        outer, inner = self.diameter / 2, self.bore / 2
        radii = [outer, outer - self.chamfer, inner + self.chamfer, inner]
        return turned_face(radii, lambda r: -np.maximum(np.maximum(r - radii[1], radii[2] - r), 0), self.thickness)


ENTRIES = (
    PartEntry(
        kind="disc",
        recipe=DiscRecipe,
        drawn=Disc,
        title="Disc",
        tooltip="A round disc, seen from above",
        noun="disc",
    ),
    PartEntry(
        kind="ring",
        recipe=RingRecipe,
        drawn=Ring,
        title="Ring",
        tooltip="A flat ring, seen from above",
        noun="ring",
    ),
)


def turned_face(radii: list[float], elevation: Formula, thickness: float) -> Part:
    """A body of revolution whose upper side is inspected, and the wall of its bore where it has one.

    radii: m, from the rim inwards to 0 or to the bore, at which the upper side has its facets' edges. elevation: (N,)
    radii to (N,) heights of the upper side; flat below at -thickness. Metres.
    """
    angles = turn(radii[0])
    rim, bore = radii[0], radii[-1]
    holes = (circle(bore, angles[:-1]),) if bore > 0 else ()
    top = relief(circle(rim, angles[:-1]), lambda xy: elevation(np.hypot(xy[:, 0], xy[:, 1])), holes)
    loops = [circle(radius, angles) for radius in dict.fromkeys(radii)]
    body = Body()
    body.inspect(top, top.loops(*loops))
    height = elevation(np.array([rim, bore]))
    body.cover(np.stack([lifted(loops[0], -thickness), lifted(loops[0], height[0])]))
    if bore > 0:
        wall = revolved(*straight((bore, height[1]), (bore, -thickness)), bore, (0.0, 2 * math.pi))
        body.inspect(wall, rectangle(wall, len(angles) - 1))
    body.cover(np.stack([lifted(loops[-1], -thickness), lifted(loops[0], -thickness)]))
    return body.part()


def chamfer_fits(low: float, high: float, thickness: float, width: float) -> None:
    """Raise the error of a chamfer (mm) that is negative or takes all of a thickness or of a width."""
    if not (low >= 0 and high < min(thickness, width)):
        raise together(
            f"found chamfer_mm from {low:g} to {high:g} on a body {thickness:g} thick and {width:g} wide; "
            "expected 0 or more, and less than both"
        )
