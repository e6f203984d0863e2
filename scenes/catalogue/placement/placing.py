"""Drawing where on a chart something lies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from procgen.surface.anchor import Anchor, Vector
from scenes.catalogue.placement.sites import MOST_ATTEMPTS, Extent, Place, Site, site_of
from scenes.geometry.atlas import Chart, Floats
from scenes.quantities.random_stream import RandomStream

RUN_POINTS = 33  # at which the distance of a line to other things is looked up
POPULATION_PLACES = 200  # among which the members of a population choose
Origin = Annotated[
    Literal["anywhere", "edge", "ends"],
    Field(description="Where it begins: anywhere, at the border, or at its lower or upper side"),
]


@dataclass(frozen=True)
class Run:
    """The straight way that something long takes: `length` (m) in the direction `heading` (radians) of the chart.

    behind: share of it that lies behind the place that it is given.
    """

    length: float
    heading: float
    behind: float = 0.0

    def turned(self, angle: float) -> Run:
        return replace(self, heading=self.heading + angle)

    def start(self, place: Place) -> Place:
        back = self.behind * self.length
        return place[0] - back * math.cos(self.heading), place[1] - back * math.sin(self.heading)

    def points(self, place: Place) -> Floats:
        """(N, 2) points along it."""
        along = np.linspace(0.0, self.length, RUN_POINTS)[:, np.newaxis]
        result: Floats = np.asarray(self.start(place)) + along * np.array(
            [math.cos(self.heading), math.sin(self.heading)]
        )
        return result


def place_within(surface: Chart, stream: RandomStream, reach: float = 0.0, along: Run | None = None) -> Place:
    """A point of the chart: uniform over its area, or as the stream's site has it.

    reach: m, of the thing round that point, or round the run that begins there.
    """
    site = site_of(stream) or Site()
    for drawn in _attempts(stream):
        place = site.candidate(surface, drawn)
        extent = Extent(reach, None if along is None else along.points(place))
        if surface.covers(np.array([place]))[0] and site.suits(surface, place, drawn, extent):
            site.take(surface, place)
            return place
    site.take(surface, None)
    return place


def place_on_border(
    surface: Chart, stream: RandomStream, *, ends_only: bool, reach: float = 0.0, along: Run | None = None
) -> tuple[Place, float]:
    """A point of the border, uniform over its length, and the direction (radians) from there into the chart.

    ends_only: of its lower and upper border. reach: m, of the thing round that point, or round the run that begins
    there, headed as seen from straight inwards.
    """
    site = site_of(stream) or Site()
    for drawn in _attempts(stream):
        place, inward = _on_border(surface, drawn.chance("place"), ends_only=ends_only)
        extent = Extent(reach, None if along is None else along.turned(inward).points(place))
        if site.suits(surface, place, drawn, extent, on_border=True):
            site.take(surface, place)
            return place, inward
    site.take(surface, None)
    return place, inward


def _attempts(stream: RandomStream) -> Iterator[RandomStream]:
    """The stream, then others to try again with."""
    yield stream
    for attempt in range(1, MOST_ATTEMPTS):
        yield stream.at(f"again{attempt}")


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


def population_places(surface: Chart, stream: RandomStream) -> tuple[Place, ...] | None:
    """Places where the members of one population may come up, as the stream's site has it; None for anywhere."""
    site = site_of(stream)
    if site is None:
        return None
    places = [place_within(surface, stream.at(f"member{number}")) for number in range(POPULATION_PLACES)]
    return tuple(place for place, found in zip(places, site.places, strict=True) if found is not None)


def place_at(origin: Origin, surface: Chart, stream: RandomStream, reach: float = 0.0) -> tuple[float, float]:
    """A point of the chart (anywhere), of its border (edge), or of its lower and upper border (ends).

    reach: m, of the thing round that point.
    """
    if origin == "anywhere":
        return place_within(surface, stream, reach)
    return place_on_border(surface, stream, ends_only=origin == "ends", reach=reach)[0]


def place_line(
    origin: Origin, surface: Chart, stream: RandomStream, length: float, turn: float, reach: float = 0.0
) -> tuple[tuple[float, float], float]:
    """The start (m) and heading (radians) of something `length` m long that lies round a point of the chart (anywhere)
    or begins on its border, or at what its site has it begin at.

    turn: of its heading, from growing u or, on the border, from straight inwards; radians. reach: m, to both sides.
    """
    run = Run(length, turn)
    if origin == "anywhere":
        site = site_of(stream)
        if site is None or site.kind != "at":
            run = replace(run, behind=0.5)
        return run.start(place_within(surface, stream, reach, run)), turn
    start, inward = place_on_border(surface, stream, ends_only=origin == "ends", reach=reach, along=run)
    return start, inward + turn


def anchored(surface: Chart, place: tuple[float, float], turn: float = 0.0) -> Anchor:
    """The anchor at a place on the chart (m), its `along` turned by `turn` radians from the direction of growing u."""
    uv = np.array([place])
    normal, tangent = surface.normals(uv)[0], surface.tangents(uv)[0]
    along = math.cos(turn) * tangent + math.sin(turn) * np.cross(normal, tangent)
    return Anchor(_vector(surface.embed(uv)[0]), _vector(normal), _vector(along))


def _vector(coordinates: Floats) -> Vector:
    x, y, z = coordinates.tolist()
    return x, y, z
