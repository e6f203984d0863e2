"""Asphalt: stones of two sizes in a dark binder, worn bare on top."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from procgen.finish.profiled import IsotropicFinish
from procgen.finish.solid import isotropic, stream_seed
from procgen.surface.placement import jittered_centres, nearest_centre, unpacked

Floats = NDArray[np.float64]

SPACING = 0.62  # of the middles of stones, over their diameter: they touch, and flatten each other
FINER = 0.45  # size of the stones that fill the gaps, over that of the coarse ones
SAND = 0.12  # and of the sand in the binder
SANDED = 0.12  # height of that sand, over the stones'
STEEP = 4.0  # how fast a stone's sides are bare
GLINT, PIT, PIT_DEPTH = 0.9, -0.7, 0.6  # of the logarithm of the base colour, and of a stone's height
FACES, JITTER, LEANING = 5, 0.8, 0.4  # sides of a broken stone, their directions' spread, and how far they lean
NEAREST, TILT, SIDES = 0.55, 0.5, 2.5  # nearest of its sides over its radius; slope of its top; steepness of its sides
WARM = np.array([0.5, 0.0, -0.5])  # of the logarithms of red, green and blue, for one more of red over blue
SMALLEST, LARGEST = 0.55, 1.0  # radius of a stone over the largest


@dataclass(frozen=True, kw_only=True)
class AsphaltFinish(IsotropicFinish):
    """A road's surface course: every stone has its own size and its own grey, and the binder lies lower between them.

    stone_size: m, diameter of the largest stones. bare: how much brighter a stone is than the binder, where traffic has
    worn it bare, and variety: its standard deviation from stone to stone; both of the logarithm of the base colour.
    angular: 0 for round stones, 1 for broken ones, whose plane faces meet at edges and lean one way or the other.
    tint: standard deviation from stone to stone of the logarithm of red over blue, brown stones beside bluish ones.
    plucked: share of the coarse stones that have come out and left a dark pit; glints: share of all that are as bright
    as quartz.
    """

    stone_size: float
    bare: float = 0.35
    variety: float = 0.3
    tint: float = 0.0
    angular: float = 0.0
    plucked: float = 0.0
    glints: float = 0.0
    kind: Literal["asphalt"] = "asphalt"

    positive: ClassVar = ("stone_size",)
    not_negative: ClassVar = ("bare", "variety", "tint")
    shares: ClassVar = ("angular", "plucked", "glints")

    def _relief(self, positions: Floats) -> Floats:
        return self._relief_and_look(positions)[0]

    def _relief_and_look(self, positions: Floats) -> tuple[Floats, Floats | float, Floats | float]:
        sand = isotropic(positions, SAND * self.stone_size, 2, stream_seed(self.seed, 2))
        height, tone, warmth = np.zeros(len(positions)), SANDED * sand, np.zeros(len(positions))
        for stream, share in enumerate((FINER, 1.0)):  # the coarse ones stand higher
            seed = stream_seed(self.seed, stream)
            dome, grey, chances, cells = _stones(positions, share * self.stone_size, seed, self.angular)
            grey = self.bare + self.variety * grey
            if self.glints > 0.0:
                grey = np.where(chances[:, 0] < self.glints, grey + GLINT, grey)
            bareness = np.clip(STEEP * dome, 0.0, 1.0)
            if self.plucked > 0.0 and share == 1.0:
                out = chances[:, 1] < self.plucked
                dome, grey = np.where(out, -PIT_DEPTH * bareness, dome), np.where(out, PIT, grey)
                height = np.where(out & (bareness > 0.0), share * dome, height)
            height = np.maximum(height, share * dome)
            tone += bareness * (grey - tone)
            if self.tint > 0.0:
                warmth += bareness * (self.tint * _hue(cells, seed) - warmth)
        if self.tint > 0.0:
            tone = tone[:, np.newaxis] + warmth[:, np.newaxis] * WARM
        return height + SANDED * sand, tone, 0.0


def _hue(cells: NDArray[np.int64], seed: int) -> Floats:
    """(N,) how warm the stones of cells (N, 3) are, of mean 0 and variance 1."""
    chances = jittered_centres(cells, 1.0, seed + 3) - cells
    return _spread(chances[:, 0], chances[:, 1])


def _spread(one: Floats, other: Floats) -> Floats:
    """A number of mean 0 and variance 1 for each two chances."""
    spread: Floats = np.sqrt(6.0) * (one + other - 1.0)
    return spread


def _stones(
    positions: Floats, size: float, seed: int, angular: float
) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """How high (N,) the stone at each place stands, 0 between them to 1, its grey, of mean 0 and variance 1, two
    chances (N, 2) that it has besides, and its cell (N, 3)."""
    distance, stone = nearest_centre(positions, SPACING * size, seed, reach=0.5 * size)
    cells = unpacked(stone)
    chances = jittered_centres(cells, 1.0, seed + 1) - cells  # three numbers in [0, 1) for each stone
    radius = 0.5 * size * (SMALLEST + (LARGEST - SMALLEST) * chances[:, 0])
    grey = _spread(chances[:, 1], chances[:, 2])
    dome = np.maximum(1.0 - (distance / radius) ** 2, 0.0)
    more = jittered_centres(cells, 1.0, seed + 2) - cells
    if angular > 0.0:
        away = (positions - jittered_centres(cells, SPACING * size, seed)) / radius[:, np.newaxis]
        dome += angular * (_broken(away, chances, more) - dome)
    return dome, grey, more[:, 1:], cells


def _broken(away: Floats, chances: Floats, more: Floats) -> Floats:
    """How high a broken stone stands (N,) at places (N, 3) from its middle, in its radii: the least of its faces."""
    beyond = np.full(len(away), -np.inf)
    for face in range(FACES):
        turn = 2.0 * np.pi * ((face + JITTER * (chances[:, face % 3] - 0.5)) / FACES + more[:, 0])
        rise = np.pi * (more[:, 1 + face % 2] - 0.5) * LEANING
        x, y, z = np.cos(turn) * np.cos(rise), np.sin(turn) * np.cos(rise), np.sin(rise)
        away_from_face = away[:, 0] * x + away[:, 1] * y + away[:, 2] * z
        beyond = np.maximum(beyond, away_from_face / (NEAREST + (1.0 - NEAREST) * chances[:, (face + 1) % 3]))
    lean = 2.0 * np.pi * chances[:, 2]
    top = 1.0 + TILT * (away[:, 0] * np.cos(lean) + away[:, 1] * np.sin(lean))
    return np.clip(np.minimum(SIDES * (1.0 - beyond), top), 0.0, None)
