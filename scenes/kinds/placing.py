"""Drawing where on a chart something lies."""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np

from procgen.anchor import Anchor, Vector
from scenes.atlas import Chart, Floats
from scenes.kinds.sites import MOST_ATTEMPTS, Place, Site
from scenes.lot import Lot

POPULATION_PLACES = 200  # among which the members of a population choose
Origin = Literal["anywhere", "edge", "ends"]


def place_within(surface: Chart, lot: Lot) -> Place:
    """A point of the chart: uniform over its area, or as the lot's site has it."""
    site = lot.site or Site()
    for drawn in _attempts(lot):
        place = site.candidate(surface, drawn)
        if surface.covers(np.array([place]))[0] and site.suits(surface, place, drawn):
            site.take(surface, place)
            return place
    site.take(surface, None)
    return place


def place_on_border(surface: Chart, lot: Lot, *, ends_only: bool) -> tuple[Place, float]:
    """A point of the border, uniform over its length, and the direction (radians) from there into the chart.

    ends_only: of its lower and upper border.
    """
    site = lot.site or Site()
    for drawn in _attempts(lot):
        place, inward = _on_border(surface, drawn.chance("place"), ends_only=ends_only)
        if site.suits(surface, place, drawn, on_border=True):
            site.take(surface, place)
            return place, inward
    site.take(surface, None)
    return place, inward


def _attempts(lot: Lot) -> Iterator[Lot]:
    """The lot, then others to try again with."""
    yield lot
    for attempt in range(1, MOST_ATTEMPTS):
        yield lot.at(f"again{attempt}")


def _on_border(surface: Chart, chance: float, *, ends_only: bool) -> tuple[Place, float]:
    if surface.outline is not None:
        return _place_on_outline(surface.outline, chance, ends_only=ends_only)
    width, height = surface.size
    along = chance * (2 * width if ends_only else 2 * (width + height))
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


def population_places(surface: Chart, lot: Lot) -> tuple[Place, ...] | None:
    """Places where the members of one population may come up, as the lot's site has it; None for anywhere."""
    if lot.site is None:
        return None
    places = [place_within(surface, lot.at(f"member{number}")) for number in range(POPULATION_PLACES)]
    return tuple(place for place, found in zip(places, lot.site.places, strict=True) if found is not None)


def place_at(origin: Origin, surface: Chart, lot: Lot) -> tuple[float, float]:
    """A point of the chart (anywhere), of its border (edge), or of its lower and upper border (ends)."""
    if origin == "anywhere":
        return place_within(surface, lot)
    return place_on_border(surface, lot, ends_only=origin == "ends")[0]


def place_line(
    origin: Origin, surface: Chart, lot: Lot, length: float, turn: float
) -> tuple[tuple[float, float], float]:
    """The start (m) and heading (radians) of something `length` m long that lies round a point of the chart (anywhere)
    or begins on its border, or at what its site has it begin at.

    turn: of its heading, from growing u or, on the border, from straight inwards; radians.
    """
    if origin == "anywhere":
        u, v = place_within(surface, lot)
        if lot.site is not None and lot.site.kind == "at":
            return (u, v), turn
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
