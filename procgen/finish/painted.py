"""Painted surfaces: orange peel under a clear coat, plain or with metal flakes."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from procgen.finish.profiled import IsotropicFinish
from procgen.finish.solid import isotropic, stream_seed

Floats = NDArray[np.float64]

PEEL_OCTAVES = 2


@dataclass(frozen=True, kw_only=True)
class PaintedFinish(IsotropicFinish):
    """Paint that levelled before it dried, but not quite: a soft dimpled skin that ripples what it mirrors.

    peel_size: m, correlation length of the dimples; orange peel is judged between 1 and 10 mm of wavelength.
    flakes: standard deviation of the logarithm of the base colour from flake to flake of flake_size (m), for metallic
    paint.
    """

    peel_size: float
    flakes: float = 0.0
    flake_size: float = 8e-5
    coat: float = 1.0
    kind: Literal["painted"] = "painted"

    positive: ClassVar = ("peel_size", "flake_size")
    not_negative: ClassVar = ("flakes",)

    def _relief(self, positions: Floats) -> Floats:
        return isotropic(positions, self.peel_size, PEEL_OCTAVES, stream_seed(self.seed, 0))

    def _look(self, positions: Floats) -> tuple[Floats | float, Floats | float]:
        if self.flakes == 0.0:
            return 0.0, 0.0
        return self.flakes * isotropic(positions, self.flake_size, 1, stream_seed(self.seed, 1)), 0.0
