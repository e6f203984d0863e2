"""A segment of a ball screw, lying along x: a hardened shaft with the balls' groove wound round it."""

import math
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Floats, Part
from scenes.parts.shaft import Rod, RodRecipe, lathe, wind
from scenes.parts.solids import Body, arc_steps, lying
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent, together
from scenes.quantities.scene_model import Positive

OSCULATION = 1.04  # groove radius over ball radius
ROUNDING = 0.004  # of the ball's diameter: what rounding takes off the edge between land and groove


class BallScrewRecipe(RodRecipe):
    """A ball screw; lead_mm is the advance of one turn, groove_depth_mm below the outer diameter."""

    kind: Literal["ball_screw"]
    lead_mm: Extent = Field(description="How far the groove advances in a turn")
    ball_mm: Extent = Field(title="Ball", description="Diameter of the balls that run in the groove")
    groove_depth_mm: Extent = Field(description="Depth of the groove that the balls run in")

    @model_validator(mode="after")
    def _holds(self) -> Self:
        depth, radius = self.groove_depth_mm.high, OSCULATION * self.ball_mm.low / 2
        if depth > 0.9 * radius or depth >= self.diameter_mm.low / 4:
            raise together("expected a groove_depth_mm below 0.45 of ball_mm and a quarter of diameter_mm")
        width = 2 * math.sqrt(2 * OSCULATION * self.ball_mm.high / 2 * depth - depth**2)
        if not width < self.lead_mm.low <= self.lead_mm.high <= self.length_mm.low:
            raise together(
                f"found a groove up to {width:.3g} mm wide; expected it below lead_mm, and that below length_mm"
            )
        return self

    def sample(self, stream: RandomStream) -> "BallScrew":
        """The screw of one frame."""
        return BallScrew(**stream.quantities(self))


class BallScrew(Rod):
    """The dimensions of one ball screw, metres."""

    kind: Literal["ball_screw"] = "ball_screw"
    lead: Positive
    ball: Positive
    groove_depth: Positive

    def build(self) -> Part:
        """The screw's mesh and chart: the upper half of its surface."""
        radius, end = self.diameter / 2, self.length / 2
        pose, steps = lying(radius), arc_steps(radius, math.pi)
        arc = OSCULATION * self.ball / 2

        def groove(along: Floats) -> Floats:
            depth = np.sqrt(np.maximum(arc**2 - along**2, 0)) - (arc - self.groove_depth)
            result: Floats = (depth + np.sqrt(depth**2 + (2 * ROUNDING * self.ball) ** 2)) / 2
            return result

        body = Body()
        lathe(body, [(0.0, -end), (radius, -end)], pose, steps)
        wind(body, radius, (-end, end), self.lead, groove, pose, steps)
        lathe(body, [(radius, end), (0.0, end)], pose, steps)
        return body.part()


ENTRIES = (
    PartEntry(
        kind="ball_screw",
        recipe=BallScrewRecipe,
        drawn=BallScrew,
        title="Ball Screw",
        tooltip="A spindle with the helical groove that balls run in",
        noun="screw",
    ),
)
