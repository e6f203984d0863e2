"""Ceramic surfaces: sintered grain with sparse dark specks, bare or under a glaze."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from procgen.finish.profiled import IsotropicFinish
from procgen.finish.solid import isotropic, speck_cell, specks, stream_seed

Floats = NDArray[np.float64]

GRAIN_OCTAVES = 2


@dataclass(frozen=True, kw_only=True)
class CeramicFinish(IsotropicFinish):
    """Fine grain without direction; iron in the clay or dust in the kiln leaves specks.

    grain_size: m. speck_density: 1/m², of specks of speck_radius (m) that darken the logarithm of the base colour by
    speck_darkening in their middle. A coat is its glaze.
    """

    grain_size: float
    speck_density: float = 0.0
    speck_radius: float = 1e-4
    speck_darkening: float = 1.0
    kind: Literal["ceramic"] = "ceramic"

    positive: ClassVar = ("grain_size", "speck_radius")
    not_negative: ClassVar = ("speck_density", "speck_darkening")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.speck_density > 0.0 and self.speck_radius > speck_cell(self.speck_density, self.speck_radius):
            raise BlemishError(
                f"ceramic finish: found {self.speck_density:g} specks per m² of radius {self.speck_radius:g} m; "
                f"expected at most {2.0 / self.speck_radius / self.speck_radius:g} per m², or they would merge"
            )

    def _relief(self, positions: Floats) -> Floats:
        return isotropic(positions, self.grain_size, GRAIN_OCTAVES, stream_seed(self.seed, 0))

    def _look(self, positions: Floats) -> tuple[Floats | float, Floats | float]:
        if self.speck_density == 0.0:
            return 0.0, 0.0
        found = specks(positions, self.speck_density, self.speck_radius, stream_seed(self.seed, 1))
        return -self.speck_darkening * np.sqrt(found), 0.0
