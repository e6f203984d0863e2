"""A segment of a tube wall, such as the ferrite magnet of a motor; its convex side is inspected, or its concave one."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import LOCATE_TOLERANCE, Chart, Floats, Part, extruded
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent, Probability, together
from scenes.quantities.scene_model import NotNegative, Positive, lacking

Land = Annotated[Distribution, Within(0, 1000)]

SAGITTA_LIMIT = 1e-7  # m; how far the facets of the mesh may lie beneath the true cylinder


class ArcSegmentRecipe(PartRecipeModel):
    """An arc segment; see `arc_segment`."""

    kind: Literal["arc_segment"]
    radius_mm: Extent = Field(description="Radius of the side that is seen")
    width_mm: Extent = Field(description="Chord, left to right in the picture")
    length_mm: Extent = Field(description="Length from end to end")
    thickness_mm: Extent = Field(description="Thickness of the part")
    concave: Probability = Field(0.0, description="Share of the frames that show the inner, concave side")
    land_mm: Land = Field(Constant(0.0), title="Land", description="Flat strips along both sides of the concave side")

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
        if self.land_mm.high > 0 and not self.concave:
            raise together("found land_mm with concave: 0; expected a share of concave frames, which alone have lands")
        if 2 * self.land_mm.high >= self.width_mm.low:
            raise together(
                f"found land_mm up to {self.land_mm.high:g} on a width_mm from {self.width_mm.low:g}; "
                "expected two lands that leave a hollow between them"
            )
        return self

    def sample(self, stream: RandomStream) -> "ArcSegment":
        """The segment of one frame."""
        quantities = stream.quantities(self, omit=("concave",))
        if stream.chance("concave") >= self.concave:
            return ArcSegment(**quantities | {"land": 0.0})
        return ArcSegment(**quantities, concave=True)


class ArcSegment(DrawnPart):
    """The dimensions of one arc segment, metres."""

    kind: Literal["arc_segment"] = "arc_segment"
    radius: Positive
    width: Positive
    length: Positive
    thickness: Positive
    concave: bool = Field(False, exclude_if=lacking)
    land: NotNegative = Field(0.0, exclude_if=lacking)

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
        return arc_segment(self.radius, self.width, self.length, self.thickness, self.concave, self.land)


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
    """One side of a tube wall about an axis along y; metres. Its uppermost points lie at z = 0.

    u is the arc length around the axis, growing with x, 0 at the left border; v runs along +y. arc_length: of the
    round part. Convex, its apex is in the middle; concave, it is seen from the axis, and level strips of width `land`
    lie beside it.
    """

    radius: float
    arc_length: float
    length: float
    concave: bool = False
    land: float = 0.0

    @property
    def size(self) -> tuple[float, float]:
        return self.arc_length + 2 * self.land, self.length

    @property
    def middle(self) -> float:
        """z of the line in the middle."""
        return self.radius * (math.cos(self.arc_length / 2 / self.radius) - 1) if self.concave else 0.0

    def _angles_and_lands(self, uv: Floats) -> tuple[Floats, Floats]:
        """The angle about the axis, rad, and how far beyond the round part, m, to the right; (N,) each."""
        along = uv[:, 0] - self.size[0] / 2
        if self.land == 0.0:
            return along / self.radius, np.zeros(len(uv))
        on_arc = np.clip(along, -self.arc_length / 2, self.arc_length / 2)
        return on_arc / self.radius, along - on_arc

    def embed(self, uv: Floats) -> Floats:
        angle, beyond = self._angles_and_lands(uv)
        up = -1.0 if self.concave else 1.0
        return np.column_stack(
            [
                self.radius * np.sin(angle) + beyond,
                uv[:, 1] - self.length / 2,
                up * self.radius * (np.cos(angle) - 1) + self.middle,
            ]
        )

    def locate(self, positions: Floats) -> Floats:
        x, y = positions[:, 0], positions[:, 1]
        z = self.middle + self.radius - positions[:, 2] if self.concave else positions[:, 2] + self.radius
        u = self.radius * np.arctan2(x, z)
        off = np.abs(np.hypot(x, z) - self.radius)
        if self.land > 0.0:
            half = self.radius * math.sin(self.arc_length / 2 / self.radius)
            on_land = np.abs(x) > half
            u = np.where(on_land, np.sign(x) * (self.arc_length / 2 + np.abs(x) - half), u)
            off = np.where(on_land, np.abs(positions[:, 2]), off)
        uv = np.column_stack([u + self.size[0] / 2, y + self.length / 2])
        return np.where((off > LOCATE_TOLERANCE * max(self.size))[:, None], np.nan, uv)

    def normals(self, uv: Floats) -> Floats:
        sine, cosine = self._leaning(uv)
        return np.column_stack([sine, np.zeros(len(uv)), cosine])

    def tangents(self, uv: Floats) -> Floats:
        sine, cosine = self._leaning(uv)
        return np.column_stack([cosine, np.zeros(len(uv)), -sine])

    def _leaning(self, uv: Floats) -> tuple[Floats, Floats]:
        """Sine and cosine of how far the surface leans to the right, (N,) each."""
        angle, beyond = self._angles_and_lands(uv)
        lean = np.where(beyond != 0.0, 0.0, -angle if self.concave else angle)
        return np.sin(lean), np.cos(lean)


def arc_segment(
    radius: float, width: float, length: float, thickness: float, concave: bool = False, land: float = 0.0
) -> Part:
    """A tube wall segment of which one side is a CylinderChart; a concave one is as thick everywhere, downwards.

    radius: of that side. width: between the two long edges. length: along the axis. land: width of the level strips
    beside a concave side. All in metres.
    Raises ValueError unless the round part's chord is shorter than 2 radius, thickness < radius, and lands lie beside a
    concave side alone.
    """
    chord = width - 2 * land
    if not (0 < chord < 2 * radius and 0 < thickness < radius and land >= 0 and (concave or land == 0)):
        raise ValueError(
            f"no arc segment has radius {radius}, width {width}, thickness {thickness} and land {land} (metres), "
            f"{'concave' if concave else 'convex'}"
        )
    half_angle = math.asin(chord / (2 * radius))
    steps = math.ceil(half_angle / math.acos(1 - SAGITTA_LIMIT / radius))
    angle = np.linspace(-half_angle, half_angle, steps + 1)
    chart = CylinderChart(radius, 2 * half_angle * radius, length, concave, land)
    outline, u = np.column_stack([np.sin(angle), np.cos(angle)]), None
    if concave:
        upper = outline * [radius, -radius] + [0, radius + chart.middle]
        if land > 0:
            upper = np.concatenate([[[-width / 2, 0.0]], upper, [[width / 2, 0.0]]])
            u = np.concatenate([[0.0], angle * radius / chart.size[0] + 0.5, [1.0]])
        profile = np.stack([upper, upper - [0, thickness]])
    else:
        profile = np.stack([outline * radius, outline * (radius - thickness)]) - [0, radius]
    return Part(extruded(profile, length, u), (chart,))
