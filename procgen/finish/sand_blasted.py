"""Sand-blasted surfaces: craters beside and over each other, until nothing else is left."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from procgen.finish.profiled import IsotropicFinish
from procgen.finish.solid import isotropic, stream_seed

Floats = NDArray[np.float64]

SHARP = 0.45  # of the finer craters, over the coarser


@dataclass(frozen=True, kw_only=True)
class SandBlastedFinish(IsotropicFinish):
    """Round bowls with sharp rims, without any direction: dull, even, and rougher the larger the grit.

    crater_size: m, about the diameter of the dent of one grain.
    """

    crater_size: float
    kind: Literal["sand_blasted"] = "sand_blasted"

    positive: ClassVar = ("crater_size",)

    def _relief(self, positions: Floats) -> Floats:
        coarse = isotropic(positions, 0.5 * self.crater_size, 1, stream_seed(self.seed, 0))
        fine = isotropic(positions, 0.25 * self.crater_size, 1, stream_seed(self.seed, 1))
        result: Floats = -np.abs(coarse) - SHARP * np.abs(fine)  # folded at zero: rims where noise changes its sign
        return result
