"""Printed-circuit laminate: a plain weave of glass yarns that shows through resin and solder mask."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from procgen.finish.frames import component, frame_about
from procgen.finish.profiled import IsotropicFinish, Vector
from procgen.finish.solid import isotropic, stream_seed

Floats = NDArray[np.float64]

SAG = 0.5  # power of the cosine with which a yarn dives under the next: below 1, its back is flat
WAVER_SIZE = 8e-3  # m, over which yarns wander
GRAIN_SIZE = 1.5e-4  # m, of the filler in the mask


@dataclass(frozen=True, kw_only=True)
class LaminateFinish(IsotropicFinish):
    """Yarns over and under each other, as pillows in the mask that lies on them.

    warp_pitch, weft_pitch: m, from yarn to yarn; .58 and .79 mm in style 7628, .42 and .54 mm in style 1080.
    warp_direction, board_normal: (3,). waver: standard deviation over the pitch by which yarns wander. grain: standard
    deviation of the logarithm of the base colour from the filler of the mask.
    """

    warp_pitch: float
    weft_pitch: float
    warp_direction: Vector = (1.0, 0.0, 0.0)
    board_normal: Vector = (0.0, 0.0, 1.0)
    waver: float = 0.15
    grain: float = 0.02
    kind: Literal["laminate"] = "laminate"

    positive: ClassVar = ("warp_pitch", "weft_pitch")
    not_negative: ClassVar = ("waver", "grain")
    directions: ClassVar = ("warp_direction", "board_normal")

    def _relief(self, positions: Floats) -> Floats:
        _, along_warp, along_weft = frame_about(self.board_normal, self.warp_direction)
        # Warp yarns lie a pitch apart across their own direction, and so do weft yarns.
        warp = component(positions, along_weft) / self.warp_pitch + self._waver(positions, 0)
        weft = component(positions, along_warp) / self.weft_pitch + self._waver(positions, 1)
        across_warp, across_weft = (np.cos(np.pi * (yarn - np.floor(yarn) - 0.5)) for yarn in (warp, weft))
        warp_on_top = (np.floor(warp) + np.floor(weft)) % 2.0 == 0.0
        crown = np.where(warp_on_top, across_warp, across_weft)
        dive = np.where(warp_on_top, across_weft, across_warp)
        result: Floats = crown * np.maximum(dive, 0.0) ** SAG
        return result

    def _look(self, positions: Floats) -> tuple[Floats | float, Floats | float]:
        if self.grain == 0.0:
            return 0.0, 0.0
        return self.grain * isotropic(positions, GRAIN_SIZE, 1, stream_seed(self.seed, 2)), 0.0

    def _waver(self, positions: Floats, stream: int) -> Floats | float:
        if self.waver == 0.0:
            return 0.0
        return self.waver * isotropic(positions, WAVER_SIZE, 1, stream_seed(self.seed, stream))
