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
SMALLEST, LARGEST = 0.55, 1.0  # radius of a stone over the largest


@dataclass(frozen=True, kw_only=True)
class AsphaltFinish(IsotropicFinish):
    """A road's surface course: every stone has its own size and its own grey, and the binder lies lower between them.

    stone_size: m, diameter of the largest stones. bare: how much brighter a stone is than the binder, where traffic has
    worn it bare, and variety: its standard deviation from stone to stone; both of the logarithm of the base colour.
    """

    stone_size: float
    bare: float = 0.35
    variety: float = 0.3
    kind: Literal["asphalt"] = "asphalt"

    positive: ClassVar = ("stone_size",)
    not_negative: ClassVar = ("bare", "variety")

    def _relief(self, positions: Floats) -> Floats:
        return self._relief_and_look(positions)[0]

    def _relief_and_look(self, positions: Floats) -> tuple[Floats, Floats | float, Floats | float]:
        sand = isotropic(positions, SAND * self.stone_size, 2, stream_seed(self.seed, 2))
        height, tone = np.zeros(len(positions)), SANDED * sand
        for stream, share in enumerate((FINER, 1.0)):  # the coarse ones stand higher
            dome, grey = _stones(positions, share * self.stone_size, stream_seed(self.seed, stream))
            height = np.maximum(height, share * dome)
            tone += np.clip(STEEP * dome, 0.0, 1.0) * (self.bare + self.variety * grey - tone)
        return height + SANDED * sand, tone, 0.0


def _stones(positions: Floats, size: float, seed: int) -> tuple[Floats, Floats]:
    """How high (N,) the stone at each place stands, 0 between them to 1, and its grey, of mean 0 and variance 1."""
    distance, stone = nearest_centre(positions, SPACING * size, seed, reach=0.5 * size)
    cells = unpacked(stone)
    chances = jittered_centres(cells, 1.0, seed + 1) - cells  # three numbers in [0, 1) for each stone
    radius = 0.5 * size * (SMALLEST + (LARGEST - SMALLEST) * chances[:, 0])
    grey = np.sqrt(6.0) * (chances[:, 1] + chances[:, 2] - 1.0)
    return np.maximum(1.0 - (distance / radius) ** 2, 0.0), grey
