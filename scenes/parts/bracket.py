"""An angle bracket with a filleted corner and two holes, its upright leg at the left."""

import math
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Floats, Part
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.parts.solids import (
    Body,
    FormulaChart,
    arc_steps,
    circle,
    distinct,
    flat,
    lifted,
    relief,
    revolved,
    straight,
    turn,
)
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent, together
from scenes.quantities.scene_model import Positive


class BracketRecipe(PartRecipeModel):
    """A bracket; leg_mm: from the outer side of the upright leg to the end of the flat one; upright_mm: its height."""

    kind: Literal["bracket"]
    leg_mm: Extent = Field(title="Leg", description="Length of the lying leg")
    depth_mm: Extent = Field(description="Depth of the part")
    upright_mm: Extent = Field(title="Upright", description="Length of the standing leg")
    thickness_mm: Extent = Field(description="Thickness of the part")
    fillet_mm: Extent = Field(description="Radius of the inner bend")
    hole_mm: Extent = Field(title="Hole Diameter", description="Diameter of the hole")

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return self.leg_mm.low

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return max(self.leg_mm.high, self.depth_mm.high, self.upright_mm.high, math.pi * self.hole_mm.high)

    @model_validator(mode="after")
    def _holds(self) -> Self:
        free = min(self.leg_mm.low - self.thickness_mm.high - self.fillet_mm.high, self.depth_mm.low / 2)
        if self.hole_mm.high >= 0.9 * free:
            raise together(
                f"found hole_mm up to {self.hole_mm.high:g} where the flat leg leaves {free:.3g} mm; expected a "
                "smaller one: each hole has half of depth_mm, and leg_mm less thickness_mm and fillet_mm"
            )
        if self.fillet_mm.high >= self.upright_mm.low:
            raise together("expected a fillet_mm below upright_mm, the height of the upright leg over the flat one")
        return self

    def sample(self, stream: RandomStream) -> "Bracket":
        """The bracket of one frame."""
        return Bracket(**stream.quantities(self))


class Bracket(DrawnPart):
    """The dimensions of one bracket, metres; its flat leg lies at z = 0, where the camera is focused."""

    kind: Literal["bracket"] = "bracket"
    leg: Positive
    depth: Positive
    upright: Positive
    thickness: Positive
    fillet: Positive
    hole: Positive

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return self.leg

    @property
    def framed_height(self) -> float:
        """And top to bottom."""
        return self.depth

    def build(self) -> Part:
        """The bracket's mesh and charts: flat leg, fillet, the upright leg's inner side and end, and the holes."""
        left, right, half = -self.leg / 2, self.leg / 2, self.depth / 2
        inner, start = left + self.thickness, left + self.thickness + self.fillet
        bottom = -self.thickness
        corners = np.array([[start, -half], [right, -half], [right, half], [start, half]])
        radius = self.hole / 2
        centre = (start + right) / 2, self.depth / 4
        cell = (right - start) / 2, self.depth / 4
        angles = turn(radius, _corner_angles(*cell))
        rims = [circle(radius, angles, (centre[0], side * centre[1])) for side in (-1, 1)]
        rectangle = _box_loop(angles, *cell)
        cells = [rectangle + np.array([centre[0], side * centre[1]]) for side in (-1, 1)]
        body = Body()
        top = relief(corners, flat, tuple(rim[:-1] for rim in rims))
        for side, rim, border in zip((-1, 1), rims, cells, strict=True):
            body.inspect(top, top.loops(border, rim))
            body.cover(np.stack([lifted(rim, bottom), lifted(border, bottom)]))

            def pose(points: Floats, at: tuple[float, float] = (centre[0], side * centre[1])) -> Floats:
                result: Floats = points + np.array([*at, 0.0])
                return result

            wall = revolved(*straight((radius, 0.0), (radius, bottom)), radius, (0.0, 2 * math.pi), pose)
            body.inspect(
                wall, np.stack(np.broadcast_arrays(radius * angles[None, :], np.array([[0], [self.thickness]])), -1)
            )
        # The rest is a profile swept along y through the points that the cells have on the border of the flat leg.
        y = distinct(np.concatenate([c[np.isclose(c[:, 0], start), 1] for c in cells]))
        self._sweep(body, y, inner, start, left, bottom)
        for border, facing in ((cells[0], -half), (cells[1], half)):
            x = distinct(border[np.isclose(border[:, 1], facing), 0])
            rows = np.stack([_line(x, facing, bottom), _line(x, facing, 0.0)])
            body.cover(rows if facing < 0 else rows[:, ::-1])
        x_end = distinct(np.concatenate([c[np.isclose(c[:, 0], right), 1] for c in cells]))
        body.cover(np.stack([np.column_stack([np.full(len(x_end), right), x_end, np.full(len(x_end), z)])
                             for z in (bottom, 0.0)]))  # fmt: skip
        return body.part()

    def _sweep(self, body: Body, y: Floats, inner: float, start: float, left: float, bottom: float) -> None:
        """Fillet, upright leg, and the strip of the underside beneath them."""
        quarter = self.fillet * math.pi / 2
        bend = FormulaChart(
            (self.depth, quarter),
            lambda uv: np.column_stack(
                [
                    start - self.fillet * np.sin(uv[:, 1] / self.fillet),
                    uv[:, 0] - self.depth / 2,
                    self.fillet * (1 - np.cos(uv[:, 1] / self.fillet)),
                ]
            ),
        )
        high = self.upright
        side = FormulaChart(
            (self.depth, high - self.fillet),
            lambda uv: np.column_stack([np.full(len(uv), inner), uv[:, 0] - self.depth / 2, self.fillet + uv[:, 1]]),
        )
        end = FormulaChart(
            (self.depth, self.thickness),
            lambda uv: np.column_stack([inner - uv[:, 1], uv[:, 0] - self.depth / 2, np.full(len(uv), high)]),
        )
        steps = arc_steps(self.fillet, math.pi / 2)
        for chart, rows in ((bend, steps), (side, 1), (end, 1)):
            v = np.linspace(0, chart.size[1], rows + 1)
            body.inspect(chart, np.stack(np.broadcast_arrays(y[None, :] + self.depth / 2, v[:, None]), axis=-1))

        def row(x: float, z: float) -> Floats:
            return np.column_stack([np.full(len(y), x), y, np.full(len(y), z)])

        body.cover(np.stack([row(left, high), row(left, bottom)]))
        body.cover(np.stack([row(left, bottom), row(start, bottom)]))
        v = np.linspace(0, quarter, steps + 1)
        for facing in (-self.depth / 2, self.depth / 2):
            uv = np.column_stack([np.full(len(v), facing + self.depth / 2), v])
            arc = np.concatenate([bend.place(uv), [[inner, facing, high]], [[left, facing, high]]])
            foot = np.broadcast_to(np.array([left, facing, bottom]), arc.shape)
            fan = np.stack([np.concatenate([[[start, facing, bottom]], arc]), np.concatenate([foot[:1], foot])])
            body.cover(fan if facing < 0 else fan[:, ::-1])


ENTRIES = (
    PartEntry(
        kind="bracket",
        recipe=BracketRecipe,
        drawn=Bracket,
        title="Bracket",
        tooltip="A bent angle with a fillet and a hole",
        noun="bracket",
    ),
)


def _corner_angles(half_width: float, half_height: float) -> Floats:
    return np.arctan2([half_height, half_height, -half_height, -half_height],
                      [half_width, -half_width, -half_width, half_width])  # fmt: skip


def _box_loop(angles: Floats, half_width: float, half_height: float) -> Floats:
    """(K, 2) where rays at these angles leave a rectangle about the origin."""
    cosine, sine = np.cos(angles), np.sin(angles)
    with np.errstate(divide="ignore"):
        radius = np.minimum(half_width / np.abs(cosine), half_height / np.abs(sine))
    return np.column_stack([radius * cosine, radius * sine])


def _line(x: Floats, y: float, z: float) -> Floats:
    return np.column_stack([x, np.full(len(x), y), np.full(len(x), z)])
