"""A spur gear with involute teeth, lying flat."""

import math
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Floats, Part
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.parts.solids import Body, circle, lifted, relief, revolved, straight
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent, Offset, together
from scenes.quantities.scene_model import NotNegative, Positive

PRESSURE_ANGLE = math.radians(20)
ADDENDUM, DEDENDUM = 1.0, 1.25  # of the module (ISO 53)
FLANK_POINTS = 14
RIM, HUB = 3.0, 0.35  # the recess ends so many modules within the roots, and so much of the radius outside the bore
RECESS_SLOPE = 1.5


class GearRecipe(PartRecipeModel):
    """A spur gear; between rim and hub its side is turned down by recess_mm."""

    kind: Literal["gear"]
    module_mm: Extent = Field(description="Size of the teeth: diameter over their number")
    teeth: Annotated[Distribution, Within(12, 200, whole=True)] = Field(description="How many teeth there are")
    bore_mm: Extent = Field(title="Bore", description="Diameter of the hole in the middle")
    thickness_mm: Extent = Field(description="Thickness of the part")
    recess_mm: Offset = Field(Constant(0.0), description="Depth of the recessed face inside the rim")

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return self.module_mm.low * (self.teeth.low + 2 * ADDENDUM)

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return max(self.module_mm.high * (self.teeth.high + 2 * ADDENDUM), math.pi * self.bore_mm.high)

    @model_validator(mode="after")
    def _holds(self) -> Self:
        roots = self.module_mm.low * (self.teeth.low - 2 * DEDENDUM)
        if self.bore_mm.high >= 0.6 * roots:
            raise together(
                f"found bore_mm up to {self.bore_mm.high:g} within roots of {roots:.3g} mm; expected below 0.6 of them"
            )
        if self.recess_mm.low < 0 or self.recess_mm.high >= self.thickness_mm.low:
            raise together("expected a recess_mm of 0 or more, and less than the thickness")
        return self

    def sample(self, stream: RandomStream) -> "Gear":
        """The gear of one frame."""
        quantities = stream.quantities(self, omit=("teeth",))
        return Gear(teeth=stream.whole("teeth", self.teeth), **quantities)


class Gear(DrawnPart):
    """The dimensions of one gear, metres."""

    kind: Literal["gear"] = "gear"
    module: Positive
    teeth: Annotated[int, Field(ge=12)]
    bore: Positive
    thickness: Positive
    recess: NotNegative

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return self.module * (self.teeth + 2 * ADDENDUM)

    @property
    def framed_height(self) -> float:
        """And top to bottom."""
        return self.framed_width

    def build(self) -> Part:
        """The gear's mesh and charts: its upper side, and the wall of its bore."""
        roots, bore = self.module * (self.teeth / 2 - DEDENDUM), self.bore / 2
        rim = max(roots - RIM * self.module, bore + 0.7 * (roots - bore))
        hub = min(bore + max(HUB * bore, self.module), bore + 0.3 * (roots - bore))
        angles, radii = self._tooth_outline()
        outline = circle(1.0, angles) * radii[:, None]
        run = min(self.recess / RECESS_SLOPE, 0.4 * (rim - hub))

        def elevation(xy: Floats) -> Floats:
            r = np.hypot(xy[:, 0], xy[:, 1])
            if run == 0:
                return np.zeros(len(xy))
            return -self.recess * np.clip(np.minimum(rim - r, r - hub) / run, 0, 1)

        inner = circle(bore, angles)
        top = relief(outline[:-1], elevation, (inner[:-1],))
        wall = revolved(*straight((bore, 0.0), (bore, -self.thickness)), bore, (float(angles[0]), float(angles[-1])))
        steps = [rim, rim - run, hub + run, hub] if run > 0 else [rim]
        body = Body()
        body.inspect(top, top.loops(outline, *(circle(radius, angles) for radius in steps), inner))
        body.inspect(
            wall,
            np.stack(np.broadcast_arrays(bore * (angles - angles[0])[None, :], np.array([[0], [self.thickness]])), -1),
        )
        body.cover(np.stack([lifted(outline, -self.thickness), lifted(outline, 0.0)]))
        body.cover(np.stack([lifted(inner, -self.thickness), lifted(outline, -self.thickness)]))
        return body.part()

    def _tooth_outline(self) -> tuple[Floats, Floats]:
        """Angles of one full turn, both ends, and the radius of the teeth's border at each."""
        pitch, tip = self.module * self.teeth / 2, self.module * (self.teeth / 2 + ADDENDUM)
        base, root = pitch * math.cos(PRESSURE_ANGLE), self.module * (self.teeth / 2 - DEDENDUM)
        half_at_pitch = math.pi / (2 * self.teeth)
        flank = np.linspace(max(base, root), tip, FLANK_POINTS)
        half = half_at_pitch + involute(PRESSURE_ANGLE) - involute(np.arccos(np.minimum(base / flank, 1)))
        half = np.maximum.accumulate(np.maximum(half, 0.05 * half_at_pitch)[::-1])[::-1]
        # One tooth from the middle of its gap to the middle of the next; radial below the base circle.
        gap = math.pi / self.teeth
        foot = np.array([half[0]]) * 1.02 if root < flank[0] else np.array([])
        up = np.concatenate([[-gap], np.linspace(-gap, -half[0] * 1.04, 4)[1:], -foot, -half])
        up_radius = np.concatenate([[root] * (4 + len(foot)), flank])
        tooth = np.concatenate([up, [0.0], -up[::-1][:-1]])
        radius = np.concatenate([up_radius, [tip], up_radius[::-1][:-1]])
        starts = np.arange(self.teeth) * 2 * gap
        angles = (starts[:, None] + tooth[None, :]).ravel()
        return np.append(angles, angles[0] + 2 * math.pi), np.append(np.tile(radius, self.teeth), radius[0])


ENTRIES = (
    PartEntry(
        kind="gear",
        recipe=GearRecipe,
        drawn=Gear,
        title="Gear",
        tooltip="A spur gear, seen along its axis",
        noun="gear",
    ),
)


def involute(angle: Floats | float) -> Floats:
    """inv α = tan α − α."""
    return np.asarray(np.tan(angle) - angle)
