"""A segment of a tube wall, such as the ferrite magnet of a motor; its convex side is inspected."""

import math
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import LOCATE_TOLERANCE, Chart, Floats, Part, extruded
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent, together
from scenes.quantities.scene_model import Positive

SAGITTA_LIMIT = 1e-7  # m; how far the facets of the mesh may lie beneath the true cylinder


class ArcSegmentRecipe(PartRecipeModel):
    """An arc segment; see `arc_segment`."""

    kind: Literal["arc_segment"]
    radius_mm: Extent = Field(description="Radius of the convex side")
    width_mm: Extent = Field(description="Chord, left to right in the picture")
    length_mm: Extent = Field(description="Length from end to end")
    thickness_mm: Extent = Field(description="Thickness of the part")

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return self.width_mm.low

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return max(self.width_mm.high * math.pi / 2, self.length_mm.high)

    @model_validator(mode="after")
    def _closes(self) -> Self:
        if self.width_mm.high >= 2 * self.radius_mm.low:
            raise together(
                f"found width_mm up to {self.width_mm.high:g} on a radius_mm from {self.radius_mm.low:g}; "
                "expected a chord shorter than twice the radius"
            )
        if self.thickness_mm.high >= self.radius_mm.low:
            raise together(
                f"found thickness_mm up to {self.thickness_mm.high:g} on a radius_mm from {self.radius_mm.low:g}; "
                "expected a wall thinner than the radius"
            )
        return self

    def sample(self, stream: RandomStream) -> "ArcSegment":
        """The segment of one frame."""
        return ArcSegment(**stream.quantities(self))


class ArcSegment(DrawnPart):
    """The dimensions of one arc segment, metres."""

    kind: Literal["arc_segment"] = "arc_segment"
    radius: Positive
    width: Positive
    length: Positive
    thickness: Positive

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return self.width

    @property
    def framed_height(self) -> float:
        """And top to bottom: 0, so that the picture is filled from side to side."""
        return 0.0

    def build(self) -> Part:
        """The segment's mesh and chart."""
        return arc_segment(self.radius, self.width, self.length, self.thickness)


ENTRIES = (
    PartEntry(
        kind="arc_segment",
        recipe=ArcSegmentRecipe,
        drawn=ArcSegment,
        title="Arc Segment",
        tooltip="A curved tile, such as a magnet of a motor",
        noun="tile",
    ),
)


@dataclass(frozen=True)
class CylinderChart(Chart):
    """The convex side of a cylinder of `radius` about the axis x = 0, z = -radius; metres.

    u is the arc length around the axis, growing with x, 0 at the left border; v runs along +y. The apex lies at z = 0.
    """

    radius: float
    arc_length: float
    length: float

    @property
    def size(self) -> tuple[float, float]:
        return self.arc_length, self.length

    def _angles(self, uv: Floats) -> Floats:
        return (uv[:, 0] - self.arc_length / 2) / self.radius

    def embed(self, uv: Floats) -> Floats:
        angle = self._angles(uv)
        return np.column_stack(
            [self.radius * np.sin(angle), uv[:, 1] - self.length / 2, self.radius * (np.cos(angle) - 1)]
        )

    def locate(self, positions: Floats) -> Floats:
        x, y, z = positions[:, 0], positions[:, 1], positions[:, 2] + self.radius
        uv = np.column_stack([self.radius * np.arctan2(x, z) + self.arc_length / 2, y + self.length / 2])
        off = np.abs(np.hypot(x, z) - self.radius) > LOCATE_TOLERANCE * max(self.size)
        return np.where(off[:, None], np.nan, uv)

    def normals(self, uv: Floats) -> Floats:
        angle = self._angles(uv)
        return np.column_stack([np.sin(angle), np.zeros(len(uv)), np.cos(angle)])

    def tangents(self, uv: Floats) -> Floats:
        angle = self._angles(uv)
        return np.column_stack([np.cos(angle), np.zeros(len(uv)), -np.sin(angle)])


def arc_segment(radius: float, width: float, length: float, thickness: float) -> Part:
    """A tube wall segment whose convex side is a CylinderChart.

    radius: of the convex side. width: chord between the two long edges. length: along the axis. All in metres.
    Raises ValueError unless width < 2 radius and thickness < radius.
    """
    if not (0 < width < 2 * radius and 0 < thickness < radius):
        raise ValueError(f"no arc segment has radius {radius}, width {width} and thickness {thickness} (metres)")
    half_angle = math.asin(width / (2 * radius))
    steps = math.ceil(half_angle / math.acos(1 - SAGITTA_LIMIT / radius))
    angle = np.linspace(-half_angle, half_angle, steps + 1)
    outline = np.column_stack([np.sin(angle), np.cos(angle)])
    profile = np.stack([outline * radius, outline * (radius - thickness)]) - [0, radius]
    return Part(extruded(profile, length), (CylinderChart(radius, 2 * half_angle * radius, length),))
