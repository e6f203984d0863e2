"""Cast surfaces: the skin that metal took from the sand of its mould."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from procgen.finish.profiled import IsotropicFinish
from procgen.finish.solid import isotropic, stream_seed

Floats = NDArray[np.float64]

GRAIN_OCTAVES = 3
SKIN_OCTAVES = 2
FULLNESS = 0.6  # power of the folded noise: below 1, bumps are broad and creases between them narrow
BUMP_DEVIATION = 0.39  # standard deviation of the folded noise


@dataclass(frozen=True, kw_only=True)
class CastFinish(IsotropicFinish):
    """Rounded bumps between the grains of the sand, on a slow waviness of the mould.

    sand_size: m, of a grain of the sand. waviness: standard deviation of the waves, over that of the bumps, and
    wave_length: m. scorch: standard deviation of the logarithm of the base colour from burnt spot to spot of the skin.
    """

    sand_size: float
    waviness: float = 0.5
    wave_length: float = 5e-3
    scorch: float = 0.1
    kind: Literal["cast"] = "cast"

    positive: ClassVar = ("sand_size", "wave_length")
    not_negative: ClassVar = ("waviness", "scorch")

    def _relief(self, positions: Floats) -> Floats:
        grains = isotropic(positions, 0.5 * self.sand_size, GRAIN_OCTAVES, stream_seed(self.seed, 0))
        waves = isotropic(positions, self.wave_length, 1, stream_seed(self.seed, 1))
        bumps = np.abs(grains) ** FULLNESS  # folded at zero: creases where grains met
        return bumps / BUMP_DEVIATION + self.waviness * waves

    def _look(self, positions: Floats) -> tuple[Floats | float, Floats | float]:
        if self.scorch == 0.0:
            return 0.0, 0.0
        return self.scorch * isotropic(positions, 0.3 * self.wave_length, SKIN_OCTAVES, stream_seed(self.seed, 2)), 0.0
