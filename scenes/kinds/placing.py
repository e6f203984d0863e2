"""Drawing where on a chart something lies."""

import math
from typing import Literal

import numpy as np

from procgen.anchor import Anchor, Vector
from scenes.atlas import Chart, Floats
from scenes.lot import Lot

MOST_ATTEMPTS = 64  # to hit a chart that fills part of its rectangle only; a ring as thin as 2 % of it is hit
Origin = Literal["anywhere", "edge", "ends"]


def place_within(surface: Chart, lot: Lot) -> tuple[float, float]:
    """A point of the chart, uniform over its area."""
    for attempt in range(MOST_ATTEMPTS):
        drawn = lot if attempt == 0 else lot.at(f"again{attempt}")
        place = surface.size[0] * drawn.chance("place.u"), surface.size[1] * drawn.chance("place.v")
        if surface.covers(np.array([place]))[0]:
            break
    return place


def place_on_border(surface: Chart, lot: Lot, *, ends_only: bool) -> tuple[tuple[float, float], float]:
    """A point of the border, uniform over its length, and the direction (radians) from there into the chart.

    ends_only: of its lower and upper border.
    """
    if surface.outline is not None:
        return _place_on_outline(surface.outline, lot.chance("place"), ends_only=ends_only)
    width, height = surface.size
    along = lot.chance("place") * (2 * width if ends_only else 2 * (width + height))
    if along < width:
        return (along, 0.0), math.pi / 2
    if along < 2 * width:
        return (along - width, height), -math.pi / 2
    if along < 2 * width + height:
        return (0.0, along - 2 * width), 0.0
    return (width, along - 2 * width - height), math.pi


def _place_on_outline(outline: Floats, chance: float, *, ends_only: bool) -> tuple[tuple[float, float], float]:
    """Likewise on a counter-clockwise border; its ends are the sides that face up or down more than sideways."""
    side = np.roll(outline, -1, axis=0) - outline
    length = np.hypot(side[:, 0], side[:, 1])
    if ends_only:
        length = np.where(np.abs(side[:, 0]) >= np.abs(side[:, 1]), length, 0.0)
    reached = np.cumsum(length)
    along = chance * reached[-1]
    number = min(int(np.searchsorted(reached, along, side="right")), len(reached) - 1)
    share = (along - reached[number] + length[number]) / length[number]
    u, v = (outline[number] + share * side[number]).tolist()
    return (u, v), math.atan2(side[number, 0], -side[number, 1])


def place_at(origin: Origin, surface: Chart, lot: Lot) -> tuple[float, float]:
    """A point of the chart (anywhere), of its border (edge), or of its lower and upper border (ends)."""
    if origin == "anywhere":
        return place_within(surface, lot)
    return place_on_border(surface, lot, ends_only=origin == "ends")[0]


def place_line(
    origin: Origin, surface: Chart, lot: Lot, length: float, turn: float
) -> tuple[tuple[float, float], float]:
    """The start (m) and heading (radians) of something `length` m long that lies round a point of the chart (anywhere)
    or begins on its border.

    turn: of its heading, from growing u or, on the border, from straight inwards; radians.
    """
    if origin == "anywhere":
        u, v = place_within(surface, lot)
        return (u - length / 2 * math.cos(turn), v - length / 2 * math.sin(turn)), turn
    start, inward = place_on_border(surface, lot, ends_only=origin == "ends")
    return start, inward + turn


def anchored(surface: Chart, place: tuple[float, float], turn: float = 0.0) -> Anchor:
    """The anchor at a place on the chart (m), its `along` turned by `turn` radians from the direction of growing u."""
    uv = np.array([place])
    normal, tangent = surface.normals(uv)[0], surface.tangents(uv)[0]
    along = math.cos(turn) * tangent + math.sin(turn) * np.cross(normal, tangent)
    return Anchor(_vector(surface.embed(uv)[0]), _vector(normal), _vector(along))


def _vector(coordinates: np.ndarray) -> Vector:
    x, y, z = coordinates.tolist()
    return x, y, z
