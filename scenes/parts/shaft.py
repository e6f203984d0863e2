"""A turned shaft with a journal at each end, lying along x; the half of it that faces the camera is inspected."""

import itertools
import math
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Floats, Part
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.parts.solids import Body, Formula, FormulaChart, arc_steps, lying, rectangle, revolved, straight
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent, Offset, together
from scenes.quantities.scene_model import NotNegative, Positive

ROWS_PER_TURN = 32  # of facets, along a groove's pitch


class RodRecipe(PartRecipeModel):
    """What lies along x and is framed by its length; half of its turned surface is inspected."""

    diameter_mm: Extent = Field(description="Diameter from side to side")
    length_mm: Extent = Field(description="Length from end to end")

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return self.length_mm.low

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return max(self.length_mm.high, math.pi / 2 * self.diameter_mm.high)


class Rod(DrawnPart):
    """What lies along x and is framed by its length, m."""

    diameter: Positive
    length: Positive

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return self.length

    @property
    def framed_height(self) -> float:
        """And top to bottom."""
        return self.diameter


class ShaftRecipe(RodRecipe):
    """A shaft; its journals, journal_mm thick and journal_length_mm long, are at both ends within its length."""

    kind: Literal["shaft"]
    journal_mm: Extent = Field(title="Journal", description="Diameter of the journals at both ends")
    journal_length_mm: Extent = Field(title="Journal Length", description="Length of the journals at both ends")
    chamfer_mm: Offset = Field(Constant(0.5), description="Width of the bevel along the edges")

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

    def sample(self, stream: RandomStream) -> "Shaft":
        """The shaft of one frame."""
        return Shaft(**stream.quantities(self))


class Shaft(Rod):
    """The dimensions of one shaft, metres."""

    kind: Literal["shaft"] = "shaft"
    journal: Positive
    journal_length: Positive
    chamfer: NotNegative

    def build(self) -> Part:
        """The shaft's mesh and charts: each cylinder and each chamfer."""
        end, step, c = self.length / 2, self.length / 2 - self.journal_length, self.chamfer
        body, journal = self.diameter / 2, self.journal / 2
        right = [(body, step - c), (body - c, step), (journal, step), (journal, end - c), (journal - c, end)]
        return lathed([(r, -z) for r, z in reversed(right)] + right, self.diameter / 2)


ENTRIES = (
    PartEntry(
        kind="shaft",
        recipe=ShaftRecipe,
        drawn=Shaft,
        title="Shaft",
        tooltip="A shaft with a journal at either end, lying",
        noun="shaft",
    ),
)


def lathed(profile: list[tuple[float, float]], drop: float) -> Part:
    """A body turned to a profile of (radius, z) with rising z, laid along x and lowered by `drop`. Metres."""
    body = Body()
    steps = arc_steps(max(r for r, _ in profile), math.pi)
    lathe(body, [(0.0, profile[0][1]), *profile, (0.0, profile[-1][1])], lying(drop), steps)
    return body.part()


def lathe(body: Body, profile: list[tuple[float, float]], pose: Formula, steps: int) -> None:
    """Add the surface of revolution of a profile of (radius, z), `steps` facets to the half turn.

    Its upper half is inspected, but for the shoulders, which the camera does not see.
    """
    upper, lower = np.linspace(0, math.pi, steps + 1), np.linspace(math.pi, 2 * math.pi, steps + 1)
    for start, end in itertools.pairwise(profile):
        if start == end:
            continue
        if start[1] == end[1]:
            body.cover(pose_grid(pose, upper, start, end))
        else:
            chart = revolved(*straight(start, end), max(start[0], end[0]), (0.0, math.pi), pose)
            body.inspect(chart, rectangle(chart, steps))
        body.cover(pose_grid(pose, lower, start, end))


def wind(
    body: Body, radius: float, z: tuple[float, float], pitch: float, groove: Formula, pose: Formula, steps: int
) -> None:
    """Add a cylinder about the z axis, between two heights, with a groove wound round it right-handed.

    groove: (N,) place along the pitch, -½ to ½ of it in metres, to (N,) depth. It runs out over half a pitch at the
    ends, where the cylinder is round. The upper half is inspected.
    """

    def place(uv: Floats) -> Floats:
        angle, along = uv[:, 0] / radius, uv[:, 1]
        phase = np.mod(along - pitch * angle / (2 * math.pi), pitch) - pitch / 2
        fade = np.clip(np.minimum(along, z[1] - z[0] - along) / (pitch / 2), 0, 1)
        r = radius - fade * groove(phase)
        return pose(np.column_stack([r * np.cos(angle), r * np.sin(angle), z[0] + along]))

    chart = FormulaChart((math.pi * radius, z[1] - z[0]), place)
    rows = max(2, math.ceil((z[1] - z[0]) / pitch * ROWS_PER_TURN))
    grid = rectangle(chart, steps, rows)
    body.inspect(chart, grid)
    below = grid + np.array([math.pi * radius, 0.0])
    body.cover(place(below.reshape(-1, 2)).reshape(*below.shape[:2], 3))


def pose_grid(pose: Formula, angles: Floats, start: tuple[float, float], end: tuple[float, float]) -> Floats:
    """(2, K, 3) points of a strip of a body of revolution between two (radius, z), laid down by `pose`."""
    r, z = np.array([start, end]).T
    grid = np.stack(np.broadcast_arrays(r[:, None] * np.cos(angles), r[:, None] * np.sin(angles), z[:, None]), axis=-1)
    return pose(grid.reshape(-1, 3)).reshape(grid.shape)
