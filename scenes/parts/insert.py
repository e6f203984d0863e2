"""A cemented-carbide indexable insert: the 80° rhomb or the triangle, with nose radius, chip breaker and hole."""

import math
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Floats, Part
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.parts.solids import Body, circle, lifted, relief, revolved, straight, turn
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent, Offset, together
from scenes.quantities.scene_model import NotNegative, Positive

NOSE_ANGLES = {"rhomb": (80, 100, 80, 100), "triangle": (60, 60, 60)}  # degrees, from the nose that points to +x
GROOVE_FACETS = 32
HEIGHTS = 40  # halvings with which a loop is found


class InsertRecipe(PartRecipeModel):
    """An insert of ISO 1832: `rhomb` is C (80°), `triangle` is T (60°)."""

    kind: Literal["insert"]
    shape: Literal["rhomb", "triangle"] = Field(
        "rhomb", description="Outline of the insert: the 80° rhomb or the triangle"
    )
    inscribed_circle_mm: Extent = Field(
        title="Inner Circle", description="Diameter of the circle that fits into the insert"
    )
    thickness_mm: Extent = Field(description="Thickness of the part")
    nose_radius_mm: Extent = Field(description="Rounding of the cutting corners")
    hole_mm: Extent = Field(title="Hole Diameter", description="Diameter of the hole")
    land_mm: Offset = Field(
        Constant(0.2), title="Land Width", description="Width of the narrow flat along the cutting edge"
    )
    chip_breaker_mm: Offset = Field(
        Constant(1.4), title="Chip Groove", description="Width of the groove that breaks the chips, behind the land"
    )
    chip_breaker_depth_mm: Offset = Field(
        Constant(0.15), title="Groove Depth", description="Depth of the groove that breaks the chips"
    )

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return self.inscribed_circle_mm.low

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return 2 * self.inscribed_circle_mm.high

    @model_validator(mode="after")
    def _holds(self) -> Self:
        inner = self.inscribed_circle_mm.low / 2
        rim = self.land_mm.high + self.chip_breaker_mm.high + self.hole_mm.high / 2
        if min(self.land_mm.low, self.chip_breaker_mm.low, self.chip_breaker_depth_mm.low) < 0:
            raise together("found a land or chip breaker below 0 mm; expected 0 or more")
        if rim >= inner or self.nose_radius_mm.high >= inner:
            raise together(
                f"found land, chip breaker and hole up to {rim:.3g} mm from the middle, nose_radius_mm up to "
                f"{self.nose_radius_mm.high:g}; expected both below the inscribed circle's radius, {inner:g} mm"
            )
        if self.chip_breaker_depth_mm.high > self.chip_breaker_mm.low / 4:
            raise together("expected a chip_breaker_depth_mm of at most a quarter of chip_breaker_mm, its width")
        return self

    def sample(self, stream: RandomStream) -> "Insert":
        """The insert of one frame."""
        return Insert(shape=self.shape, **stream.quantities(self))


class Insert(DrawnPart):
    """The dimensions of one insert, metres; land: from the edge to the chip breaker, which is chip_breaker wide."""

    kind: Literal["insert"] = "insert"
    shape: Literal["rhomb", "triangle"]
    inscribed_circle: Positive
    thickness: Positive
    nose_radius: Positive
    hole: Positive
    land: NotNegative
    chip_breaker: NotNegative
    chip_breaker_depth: NotNegative

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return float(np.ptp(self._outline(np.linspace(0, 2 * math.pi, 721))[:, 0]))

    @property
    def framed_height(self) -> float:
        """And top to bottom."""
        return float(np.ptp(self._outline(np.linspace(0, 2 * math.pi, 721))[:, 1]))

    def _depth_within(self, xy: Floats) -> Floats:
        """(N,) how far within the rounded border points lie, metres."""
        inner = convex(NOSE_ANGLES[self.shape], self.inscribed_circle / 2 - self.nose_radius)
        return edge_distance(xy, inner) + self.nose_radius

    def _outline(self, angles: Floats, depth: float = 0.0) -> Floats:
        """The loop (K, 2) that lies `depth` metres within the border, one point at each angle."""
        direction = np.column_stack([np.cos(angles), np.sin(angles)])
        near, far = np.zeros(len(angles)), np.full(len(angles), 2 * self.inscribed_circle)
        for _ in range(HEIGHTS):
            middle = (near + far) / 2
            within = self._depth_within(middle[:, None] * direction) > depth
            near, far = np.where(within, middle, near), np.where(within, far, middle)
        result: Floats = near[:, None] * direction
        return result

    def build(self) -> Part:
        """The insert's mesh and charts: its rake face, and the wall of its hole."""
        noses = convex(NOSE_ANGLES[self.shape], 1.0)
        angles = turn(self.inscribed_circle, np.arctan2(noses[:, 1], noses[:, 0]))
        hole = self.hole / 2

        def elevation(xy: Floats) -> Floats:
            if self.chip_breaker == 0:
                return np.zeros(len(xy))
            across = np.clip((self._depth_within(xy) - self.land) / self.chip_breaker, 0, 1)
            result: Floats = -self.chip_breaker_depth * np.sin(math.pi * across**0.7) ** 2
            return result

        border, rim = self._outline(angles), circle(hole, angles)
        steps = self.land + self.chip_breaker * np.linspace(0, 1, GROOVE_FACETS + 1)
        loops = [border] + [self._outline(angles, depth) for depth in np.unique(steps[steps > 0]).tolist()]
        top = relief(border[:-1], elevation, (rim[:-1],))
        wall = revolved(*straight((hole, 0.0), (hole, -self.thickness)), hole, (0.0, 2 * math.pi))
        body = Body()
        body.inspect(top, top.loops(*loops, rim))
        body.inspect(wall, np.stack(np.broadcast_arrays(hole * angles[None, :], np.array([[0], [self.thickness]])), -1))
        body.cover(np.stack([lifted(border, -self.thickness), lifted(border, 0.0)]))
        body.cover(np.stack([lifted(rim, -self.thickness), lifted(border, -self.thickness)]))
        return body.part()


ENTRIES = (
    PartEntry(
        kind="insert",
        recipe=InsertRecipe,
        drawn=Insert,
        title="Cutting Insert",
        tooltip="An indexable insert of a cutting tool",
        noun="insert",
    ),
)


def convex(angles: tuple[int, ...], radius: float) -> Floats:
    """(K, 2) corners of the polygon round a circle of `radius` with these angles (degrees), the first towards +x."""
    # The sides touch the circle where their normals point; the normals turn by 180° less the corner's angle.
    turns = np.array([math.pi - math.radians(angle) for angle in angles])
    before = -turns[0] / 2 + np.concatenate([[0], np.cumsum(turns[:-1])])  # normal of the side before each corner
    result: Floats = (
        radius / np.cos(turns / 2)[:, None] * np.column_stack([np.cos(before + turns / 2), np.sin(before + turns / 2)])
    )
    return result


def edge_distance(xy: Floats, corners: Floats) -> Floats:
    """(N,) how deep points lie within a convex counter-clockwise polygon (K, 2), negative outside; metres."""
    side = np.roll(corners, -1, axis=0) - corners
    length = np.hypot(side[:, 0], side[:, 1])
    depth = np.full(len(xy), np.inf)
    away = np.full(len(xy), np.inf)
    for corner, along, extent in zip(corners, side / length[:, None], length, strict=True):
        relative = xy - corner
        depth = np.minimum(depth, along[0] * relative[:, 1] - along[1] * relative[:, 0])
        nearest = np.clip(relative[:, 0] * along[0] + relative[:, 1] * along[1], 0, extent)
        away = np.minimum(away, np.hypot(*(relative - nearest[:, None] * along).T))
    return np.where(depth >= 0, depth, -away)
