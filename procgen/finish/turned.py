"""Turned surfaces: the groove of a pointed tool, wound about the axis of the lathe."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from procgen.finish.frames import component, frame_about
from procgen.finish.profiled import ProfiledFinish, Vector
from procgen.finish.solid import isotropic, stream_seed

Floats = NDArray[np.float64]

CUSP_RA = 4.0 / (9.0 * np.sqrt(3.0))  # of a row of parabolas x², |x| ≤ 1, which are 1 high
GROOVE_LENGTH = 40.0  # over which one groove changes its depth, in feeds
MARK_OCTAVES = 2


@dataclass(frozen=True, kw_only=True)
class TurnedFinish(ProfiledFinish):
    """Feed marks: a row of cusps that the nose of the tool leaves, one feed apart.

    feed: m per revolution. marks: concentric, as on a faced end (in truth a spiral), or helical, as on a shaft.
    axis_point (3,) m, axis_direction (3,): of the lathe's spindle. irregularity: standard deviation over Ra of what
    makes one groove differ from the next: built-up edge, chatter, tearing. anisotropy: 0 to 1, about the axis.
    The nose radius of the tool follows from Ra and feed: see `nose_radius`.
    """

    feed: float
    marks: Literal["concentric", "helical"] = "concentric"
    axis_point: Vector = (0.0, 0.0, 0.0)
    axis_direction: Vector = (0.0, 0.0, 1.0)
    irregularity: float = 0.5
    anisotropy: float = 0.0
    kind: Literal["turned"] = "turned"

    positive: ClassVar = ("feed",)
    not_negative: ClassVar = ("irregularity",)
    shares: ClassVar = ("anisotropy",)
    directions: ClassVar = ("axis_direction",)

    @property
    def lay_direction(self) -> Vector:
        """Of no use where a sample has its own: a direction across the axis."""
        x, y, z = frame_about(self.axis_direction, (1.0, 0.0, 0.0))[2]
        return float(x), float(y), float(z)

    @property
    def nose_radius(self) -> float:
        """m, of the tool that leaves this Ra at this feed: f²/(8 r) is the height of a cusp, and Ra is .257 of it."""
        result: float = self.feed**2 * CUSP_RA / (8.0 * self.ra)
        return result

    def _relief(self, positions: Floats) -> Floats:
        axis, x, y, radius = self._about_axis(positions)
        advance = radius if self.marks == "concentric" else axis
        turns = advance / self.feed - np.arctan2(y, x) / (2.0 * np.pi)
        cusp = 4.0 * (turns - np.round(turns)) ** 2
        # Grooves differ by noise that is drawn out along them. Both coordinates across the axis stay in it, for an
        # angle would have a seam.
        across = np.stack([advance / self.feed, *(c / (GROOVE_LENGTH * self.feed) for c in (x, y))], axis=1)
        result: Floats = cusp / CUSP_RA + self.irregularity * isotropic(
            across, 1.0, MARK_OCTAVES, stream_seed(self.seed, 0)
        )
        return result

    def _lay(self, positions: Floats) -> Floats:
        _, x, y, radius = self._about_axis(positions)
        _, forward, side = frame_about(self.axis_direction, (1.0, 0.0, 0.0))
        radius = np.maximum(radius, np.finfo(np.float64).tiny)
        lay = (x / radius)[:, np.newaxis] * side - (y / radius)[:, np.newaxis] * forward
        return np.where(((x == 0.0) & (y == 0.0))[:, np.newaxis], forward, lay)

    def _about_axis(self, positions: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        away = positions - np.array(self.axis_point)
        along, x, y = (component(away, axis) for axis in frame_about(self.axis_direction, (1.0, 0.0, 0.0)))
        return along, x, y, np.hypot(x, y)
