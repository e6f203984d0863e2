"""Anodised aluminium: a dyed oxide film on a finely etched extrusion."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from procgen.finish.profiled import ProfiledFinish, Vector
from procgen.finish.solid import drawn_out, isotropic, stream_seed

Floats = NDArray[np.float64]

ETCH_OCTAVES = 2
LINE_OCTAVES = 2
LINE_LENGTH, LINE_WIDTH = 0.2, 2e-4  # m: lines of the extrusion die run on and on


@dataclass(frozen=True, kw_only=True)
class AnodisedFinish(ProfiledFinish):
    """Fine etched grain, and the traces of the die that etching did not take off; the base colour is that of the dye.

    grain_size: m, of the etched grain. die_lines: share of the height's variance in lines along lay_direction (3,).
    """

    grain_size: float
    die_lines: float = 0.1
    lay_direction: Vector = (1.0, 0.0, 0.0)
    anisotropy: float = 0.0
    kind: Literal["anodised"] = "anodised"

    positive: ClassVar = ("grain_size",)
    shares: ClassVar = ("die_lines", "anisotropy")
    directions: ClassVar = ("lay_direction",)

    def _relief(self, positions: Floats) -> Floats:
        grain = isotropic(positions, self.grain_size, ETCH_OCTAVES, stream_seed(self.seed, 0))
        lines = drawn_out(
            positions, self.lay_direction, LINE_LENGTH, LINE_WIDTH, LINE_OCTAVES, stream_seed(self.seed, 1)
        )
        result: Floats = np.sqrt(1.0 - self.die_lines) * grain + np.sqrt(self.die_lines) * lines
        return result
