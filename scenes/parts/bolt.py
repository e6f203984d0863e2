"""A hexagon bolt, lying along x with a flat of its head upwards."""

import math
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Floats, Part
from scenes.parts.hex_nut import THREAD_DEPTH, hexagon_radius
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.parts.shaft import lathe, wind
from scenes.parts.solids import Body, Formula, FormulaChart, arc_steps, circle, distinct, lying
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent, together
from scenes.quantities.scene_model import Positive


class BoltRecipe(PartRecipeModel):
    """A hexagon bolt; length_mm is that below its head."""

    kind: Literal["bolt"]
    thread_mm: Extent = Field(title="Thread", description="Outer diameter of the thread")
    pitch_mm: Extent = Field(description="From thread to thread")
    length_mm: Extent = Field(description="Length from end to end")
    thread_length_mm: Extent = Field(description="Length of the thread, from the end of the bolt")
    across_flats_mm: Extent = Field(description="From flat to opposite flat of the hexagon")
    head_mm: Extent = Field(title="Head Height", description="Height of the bolt's head")

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return self.length_mm.low + self.head_mm.low

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return max(self.length_mm.high, math.pi / 2 * self.thread_mm.high, self.across_flats_mm.high)

    @model_validator(mode="after")
    def _holds(self) -> Self:
        if self.thread_mm.high >= 0.9 * self.across_flats_mm.low:
            raise together("expected a thread_mm below 0.9 of across_flats_mm")
        if self.thread_length_mm.high + self.thread_mm.high >= self.length_mm.low + self.thread_mm.low:
            raise together("expected a thread_length_mm below length_mm")
        if not self.pitch_mm.high <= min(self.thread_mm.low / 3, self.thread_length_mm.low / 2):
            raise together("expected a pitch_mm of at most a third of thread_mm and half of thread_length_mm")
        return self

    def sample(self, stream: RandomStream) -> "Bolt":
        """The bolt of one frame."""
        return Bolt(**stream.quantities(self))


class Bolt(DrawnPart):
    """The dimensions of one bolt, metres."""

    kind: Literal["bolt"] = "bolt"
    thread: Positive
    pitch: Positive
    length: Positive
    thread_length: Positive
    across_flats: Positive
    head: Positive

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return self.length + self.head

    @property
    def framed_height(self) -> float:
        """And top to bottom."""
        return self.across_flats * 2 / math.sqrt(3)

    def build(self) -> Part:
        """The bolt's mesh and charts: thread, shank, point, and the three flats of the head that face upwards."""
        radius, start = self.thread / 2, -(self.length + self.head) / 2
        under, thread, end = start + self.head, start + self.head + self.length - self.thread_length, -start
        pose, steps = lying(self.across_flats / 2), 6 * math.ceil(arc_steps(radius, math.pi) / 6)
        depth = THREAD_DEPTH * self.pitch

        def groove(along: Floats) -> Floats:
            return np.minimum(depth * 1.15 * (1 - 2 * np.abs(along) / self.pitch), depth)

        point = depth
        body = Body()
        lathe(body, [(radius, under), (radius, thread)], pose, steps)
        wind(body, radius, (thread, end - point), self.pitch, groove, pose, steps)
        lathe(body, [(radius, end - point), (radius - depth, end), (0.0, end)], pose, steps)
        self._head(body, radius, start, under, steps)
        return body.part()

    def _head(self, body: Body, radius: float, start: float, under: float, steps: int) -> None:
        """The hexagonal head from z = `start` to `under`, where the shank of `radius` leaves it."""
        pose, apothem = lying(self.across_flats / 2), self.across_flats / 2
        side = self.across_flats / math.sqrt(3)
        angles = np.linspace(0, 2 * math.pi, 2 * steps + 1)  # which meets the hexagon's corners
        for number in range(6):
            middle = math.pi / 6 + number * math.pi / 3  # azimuth of the flat; π/2 is upwards
            outward, along = _direction(middle), _direction(middle + math.pi / 2)

            def place(uv: Floats, outward: Floats = outward, along: Floats = along) -> Floats:
                across = apothem * outward + (uv[:, :1] - side / 2) * along
                return pose(np.column_stack([across, start + uv[:, 1]]))

            flat = FormulaChart((side, self.head), place)
            turned = np.mod(angles - middle + math.pi, 2 * math.pi) - math.pi
            facing = np.sort(turned[np.abs(turned) < math.pi / 6 + 1e-9])
            u = distinct(side / 2 + apothem * np.tan(facing))
            corners = np.stack(np.broadcast_arrays(u[None, :], np.array([[0.0], [self.head]])), axis=-1)
            if math.sin(middle) > 0.1:
                body.inspect(flat, corners)
            else:
                body.cover(place(corners.reshape(-1, 2)).reshape(2, -1, 3))
        hexagon = circle(1.0, angles) * hexagon_radius(angles, self.across_flats)[:, None]
        body.cover(_ring(pose, [(0.0 * hexagon, start), (hexagon, start)]))
        body.cover(_ring(pose, [(hexagon, under), (circle(radius, angles), under)]))


ENTRIES = (
    PartEntry(
        kind="bolt",
        recipe=BoltRecipe,
        drawn=Bolt,
        title="Bolt",
        tooltip="A hexagon bolt, lying",
        noun="bolt",
    ),
)


def _direction(angle: float) -> Floats:
    return np.array([math.cos(angle), math.sin(angle)])


def _ring(pose: Formula, loops: list[tuple[Floats, float]]) -> Floats:
    """(M, K, 3) points of loops (K, 2) at their heights, laid down by `pose`."""
    grid = np.stack([np.column_stack([loop, np.full(len(loop), z)]) for loop, z in loops])
    return pose(grid.reshape(-1, 3)).reshape(grid.shape)
