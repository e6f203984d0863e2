"""A turned shaft with a journal at each end, lying along x; the half of it that faces the camera is inspected."""

import math
from typing import Literal, Self

import numpy as np
from pydantic import model_validator

from scenes.atlas import Floats, Part
from scenes.concrete import Concrete, NotNegative, Positive
from scenes.distribution import Constant
from scenes.lot import Lot
from scenes.parts.solids import Body, Formula, arc_steps, lying, rectangle, revolved, straight
from scenes.sections import Extent, Offset, Section, together


class ShaftRecipe(Section):
    """A shaft; its journals, journal_mm thick and journal_length_mm long, are at both ends within its length."""

    kind: Literal["shaft"]
    diameter_mm: Extent
    length_mm: Extent
    journal_mm: Extent
    journal_length_mm: Extent
    chamfer_mm: Offset = Constant(0.5)

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return self.length_mm.low

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return max(self.length_mm.high, math.pi / 2 * self.diameter_mm.high)

    @model_validator(mode="after")
    def _holds(self) -> Self:
        if self.journal_mm.high >= self.diameter_mm.low or 2 * self.journal_length_mm.high >= self.length_mm.low:
            raise together("expected journals thinner than diameter_mm, and together shorter than length_mm")
        chamfer, step = self.chamfer_mm, (self.diameter_mm.low - self.journal_mm.high) / 2
        if chamfer.low < 0 or chamfer.high >= min(step, self.journal_mm.low / 2, self.journal_length_mm.low / 2):
            raise together(
                f"found chamfer_mm from {chamfer.low:g} to {chamfer.high:g}; expected 0 or more, and less than the "
                "step to the journals, their radius and half their length"
            )
        return self

    def drawn(self, lot: Lot) -> "Shaft":
        """The shaft of one frame."""
        return Shaft(**lot.quantities(self))


class Shaft(Concrete):
    """The dimensions of one shaft, metres."""

    kind: Literal["shaft"] = "shaft"
    diameter: Positive
    length: Positive
    journal: Positive
    journal_length: Positive
    chamfer: NotNegative

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return self.length

    @property
    def framed_height(self) -> float:
        """And top to bottom."""
        return self.diameter

    def built(self) -> Part:
        """The shaft's mesh and charts: each cylinder and each chamfer."""
        end, step, c = self.length / 2, self.length / 2 - self.journal_length, self.chamfer
        body, journal = self.diameter / 2, self.journal / 2
        right = [(body, step - c), (body - c, step), (journal, step), (journal, end - c), (journal - c, end)]
        return lathed([(r, -z) for r, z in reversed(right)] + right, self.diameter / 2)


def lathed(profile: list[tuple[float, float]], drop: float) -> Part:
    """A body turned to a profile of (radius, z) with rising z, laid along x and lowered by `drop`. Metres.

    Its upper half is inspected, but for the shoulders, which the camera does not see.
    """
    pose = lying(drop)
    steps = arc_steps(max(r for r, _ in profile), math.pi)
    upper, lower = np.linspace(0, math.pi, steps + 1), np.linspace(math.pi, 2 * math.pi, steps + 1)
    body = Body()
    for start, end in zip([(0.0, profile[0][1]), *profile], [*profile, (0.0, profile[-1][1])], strict=True):
        if start == end:
            continue
        if start[1] == end[1]:
            body.cover(pose_grid(pose, upper, start, end))
        else:
            reference = max(start[0], end[0])
            chart = revolved(*straight(start, end), reference, (0.0, math.pi), pose)
            body.inspect(chart, rectangle(chart, steps))
        body.cover(pose_grid(pose, lower, start, end))
    return body.part()


def pose_grid(pose: Formula, angles: Floats, start: tuple[float, float], end: tuple[float, float]) -> Floats:
    """(2, K, 3) points of a strip of a body of revolution between two (radius, z), laid down by `pose`."""
    r, z = np.array([start, end]).T
    grid = np.stack(np.broadcast_arrays(r[:, None] * np.cos(angles), r[:, None] * np.sin(angles), z[:, None]), axis=-1)
    return pose(grid.reshape(-1, 3)).reshape(grid.shape)
