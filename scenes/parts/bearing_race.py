"""The washer of a thrust ball bearing: a ring with the balls' groove in its upper side."""

import math
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Floats, Part
from scenes.parts.disc import BoredRecipe, Round, turned_face
from scenes.quantities.distribution import Constant, Distribution
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent, together
from scenes.quantities.scene_model import Positive

GROOVE_FACETS = 48
CHAMFER = 0.08  # of the wall, on both edges


class BearingRaceRecipe(BoredRecipe):
    """A bearing washer; the groove is an arc of a circle slightly larger than the balls."""

    kind: Literal["bearing_race"]
    thickness_mm: Extent = Field(description="Thickness of the part")
    ball_mm: Extent = Field(title="Ball", description="Diameter of the balls that run in the groove")
    groove_depth_mm: Extent = Field(description="Depth of the groove that the balls run in")
    osculation: Distribution = Field(Constant(1.04), description="Radius of the groove over that of the balls")

    @model_validator(mode="after")
    def _holds(self) -> Self:
        wall = (self.diameter_mm.low - self.bore_mm.high) / 2
        radius = self.osculation.high * self.ball_mm.high / 2
        depth = self.groove_depth_mm.high
        half_width = math.sqrt(max(2 * radius * depth - depth**2, 0))
        if not (self.osculation.low >= 1 and depth < min(self.thickness_mm.low, self.ball_mm.low / 2)):
            raise together(
                "expected osculation of 1 or more (groove over ball radius), and a groove_depth_mm below "
                "the thickness and the balls' radius"
            )
        if half_width * 2 >= wall * (1 - 2 * CHAMFER):
            raise together(
                f"found a groove up to {2 * half_width:.3g} mm wide on a wall from {wall:.3g} mm; expected a narrower "
                "one: smaller ball_mm or groove_depth_mm"
            )
        return self

    def sample(self, stream: RandomStream) -> "BearingRace":
        """The washer of one frame."""
        return BearingRace(**stream.quantities(self))


class BearingRace(Round):
    """The dimensions of one bearing washer, metres; osculation: groove radius over ball radius."""

    kind: Literal["bearing_race"] = "bearing_race"
    bore: Positive
    thickness: Positive
    ball: Positive
    groove_depth: Positive
    osculation: Positive

    def build(self) -> Part:
        """The washer's mesh and charts: its upper side, and the wall of its bore."""
        outer, inner = self.diameter / 2, self.bore / 2
        chamfer, middle = CHAMFER * (outer - inner), (outer + inner) / 2
        radius = self.osculation * self.ball / 2
        half_width = math.sqrt(2 * radius * self.groove_depth - self.groove_depth**2)

        def elevation(r: Floats) -> Floats:
            groove = radius - self.groove_depth - np.sqrt(radius**2 - np.minimum(np.abs(r - middle), half_width) ** 2)
            result: Floats = groove - np.maximum(np.maximum(r - outer + chamfer, inner + chamfer - r), 0)
            return result

        across = middle + half_width * np.linspace(1, -1, GROOVE_FACETS + 1)
        radii = [outer, outer - chamfer, *across.tolist(), inner + chamfer, inner]
        return turned_face(radii, elevation, self.thickness)


ENTRIES = (
    PartEntry(
        kind="bearing_race",
        recipe=BearingRaceRecipe,
        drawn=BearingRace,
        title="Bearing Race",
        tooltip="The ring of a thrust bearing, with the groove that balls run in",
        noun="bearing",
    ),
)
