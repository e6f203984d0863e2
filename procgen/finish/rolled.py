"""Rolled sheet: grain that the rolls printed and drew out, under patches of oxide scale where it was rolled hot."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from procgen.finish.profiled import ProfiledFinish, Vector
from procgen.finish.solid import drawn_out, isotropic, stream_seed

Floats = NDArray[np.float64]

MARK_OCTAVES = 2
SCALE_OCTAVES = 3
SCALE_EDGE = 0.35  # standard deviations of the scale's noise over which a patch fades out
SCALE_LENGTH = 4.0  # of a patch along the rolling direction, over its width


@dataclass(frozen=True, kw_only=True)
class RolledFinish(ProfiledFinish):
    """Marks along the rolling direction and grain without direction, dulled and darkened by scale.

    lay_direction: (3,), of rolling. mark_length, mark_width: m, correlation lengths along and across it. grain: share
    of the height's variance that has no direction, of grain_size (m); nearly 1 for hot-rolled strip, nearly 0 for
    bright cold-rolled. scale_cover: share of the surface under scale. scale_size: m, width of a patch. scale_darkening:
    change of the logarithm of the base colour under it. scale_roughness: added there. anisotropy: 0 to 1.
    """

    lay_direction: Vector
    mark_length: float
    mark_width: float
    grain: float = 0.5
    grain_size: float = 1e-4
    scale_cover: float = 0.0
    scale_size: float = 5e-3
    scale_darkening: float = 0.5
    scale_roughness: float = 0.1
    anisotropy: float = 0.0
    kind: Literal["rolled"] = "rolled"

    positive: ClassVar = ("mark_length", "mark_width", "grain_size", "scale_size")
    not_negative: ClassVar = ("scale_darkening",)
    shares: ClassVar = ("grain", "scale_cover", "scale_roughness", "anisotropy")
    directions: ClassVar = ("lay_direction",)

    def _relief(self, positions: Floats) -> Floats:
        marks = drawn_out(
            positions, self.lay_direction, self.mark_length, self.mark_width, MARK_OCTAVES, stream_seed(self.seed, 0)
        )
        grain = isotropic(positions, self.grain_size, 1, stream_seed(self.seed, 1))
        result: Floats = np.sqrt(1.0 - self.grain) * marks + np.sqrt(self.grain) * grain
        return result

    def _look(self, positions: Floats) -> tuple[Floats | float, Floats | float]:
        scale = self._scale(positions)
        return -self.scale_darkening * scale, self.scale_roughness * scale

    def _scale(self, positions: Floats) -> Floats | float:
        """How thick the scale is, (N,) from 0 to 1."""
        if self.scale_cover in (0.0, 1.0):
            return self.scale_cover
        from scipy.special import ndtri

        noise = drawn_out(
            positions, self.lay_direction, SCALE_LENGTH * self.scale_size, self.scale_size,
            SCALE_OCTAVES, stream_seed(self.seed, 2),
        )  # fmt: skip
        result: Floats | float = np.clip(0.5 + (noise + ndtri(self.scale_cover)) / SCALE_EDGE, 0.0, 1.0)
        return result
