"""A hexagon nut, lying flat."""

import math
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Floats, Part
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.parts.solids import Body, FormulaChart, circle, lifted, relief, turn
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent, together
from scenes.quantities.scene_model import Positive

CHAMFER_START = 0.475  # of the width across flats, the radius at which the chamfer begins (ISO 4032: d_w)
CHAMFER_SLOPE = math.tan(math.radians(30))
THREAD_DEPTH = 0.5413  # of the pitch: 5/8 of a sharp thread's height (ISO 68-1)
ROWS_PER_TURN = 16


class HexNutRecipe(PartRecipeModel):
    """A hexagon nut with a metric thread of `thread_mm` and `pitch_mm`."""

    kind: Literal["hex_nut"]
    across_flats_mm: Extent = Field(description="From flat to opposite flat of the hexagon")
    height_mm: Extent = Field(description="Top to bottom in the picture")
    thread_mm: Extent = Field(title="Thread", description="Outer diameter of the thread")
    pitch_mm: Extent = Field(description="From thread to thread")

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return self.across_flats_mm.low * 2 / math.sqrt(3)

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return max(self.across_flats_mm.high * 2 / math.sqrt(3), math.pi * self.thread_mm.high)

    @model_validator(mode="after")
    def _holds(self) -> Self:
        if self.thread_mm.high >= 0.8 * self.across_flats_mm.low:
            raise together(
                f"found thread_mm up to {self.thread_mm.high:g} with across_flats_mm from {self.across_flats_mm.low:g};"
                " expected a thread below 0.8 of the width across flats"
            )
        if self.pitch_mm.high > min(self.thread_mm.low / 3, self.height_mm.low):
            raise together(
                f"found pitch_mm up to {self.pitch_mm.high:g}; expected at most a third of thread_mm, and the height"
            )
        return self

    def sample(self, stream: RandomStream) -> "HexNut":
        """The nut of one frame."""
        return HexNut(**stream.quantities(self))


class HexNut(DrawnPart):
    """The dimensions of one nut, metres."""

    kind: Literal["hex_nut"] = "hex_nut"
    across_flats: Positive
    height: Positive
    thread: Positive
    pitch: Positive

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return self.across_flats * 2 / math.sqrt(3)

    @property
    def framed_height(self) -> float:
        """And top to bottom."""
        return self.across_flats

    def build(self) -> Part:
        """The nut's mesh and charts: its upper side with chamfer and countersink, and its thread."""
        bore, sink = self.thread / 2 - THREAD_DEPTH * self.pitch, 1.04 * self.thread / 2
        start = CHAMFER_START * self.across_flats
        angles = turn(self.across_flats, np.arange(6) * math.pi / 3)
        hexagon = circle(1.0, angles) * hexagon_radius(angles, self.across_flats)[:, None]

        def elevation(xy: Floats) -> Floats:
            r = np.hypot(xy[:, 0], xy[:, 1])
            result: Floats = -CHAMFER_SLOPE * np.maximum(r - start, 0) - np.maximum(sink - r, 0)
            return result

        top = relief(hexagon[:-1], elevation, (circle(bore, angles[:-1]),))
        edge, sunk, rim = circle(start, angles), circle(sink, angles), circle(bore, angles)
        body = Body()
        body.inspect(top, top.loops(hexagon, (hexagon + edge) / 2, edge, sunk, rim))
        body.cover(np.stack([lifted(hexagon, -self.height), np.column_stack([hexagon, elevation(hexagon)])]))
        body.cover(np.stack([lifted(rim, -self.height), lifted(hexagon, -self.height)]))
        depth = self.height - (sink - bore)
        wall = thread_wall(bore, -(sink - bore), depth, self.pitch)
        rows = max(2, math.ceil(depth / self.pitch * ROWS_PER_TURN))
        v = np.linspace(0, depth, rows + 1)
        body.inspect(wall, np.stack(np.broadcast_arrays(bore * angles[None, :], v[:, None]), axis=-1))
        return body.part()


ENTRIES = (
    PartEntry(
        kind="hex_nut",
        recipe=HexNutRecipe,
        drawn=HexNut,
        title="Hex Nut",
        tooltip="A hexagon nut, seen from above",
        noun="nut",
    ),
)


def hexagon_radius(angles: Floats, across_flats: float) -> Floats:
    """(N,) distance from the middle of a hexagon to its border, corners at multiples of 60°."""
    result: Floats = across_flats / 2 / np.cos(np.mod(angles, math.pi / 3) - math.pi / 6)
    return result


def thread_wall(bore: float, top: float, depth: float, pitch: float) -> FormulaChart:
    """The inner wall of a bore with a V thread cut into it, from z = `top` downwards; smooth where it ends."""

    def place(uv: Floats) -> Floats:
        angle, down = uv[:, 0] / bore, uv[:, 1]
        phase = np.mod(down / pitch + angle / (2 * math.pi), 1.0)
        fade = np.clip(np.minimum(down, depth - down) / (pitch / 2), 0, 1)
        r = bore + fade * THREAD_DEPTH * pitch * (1 - np.abs(2 * phase - 1))
        return np.column_stack([r * np.cos(angle), r * np.sin(angle), top - down])

    return FormulaChart((2 * math.pi * bore, depth), place)
