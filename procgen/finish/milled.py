"""Face-milled surfaces: the arcs that the teeth of a cutter leave as it feeds along."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from procgen.finish.frames import component, frame_about
from procgen.finish.profiled import ProfiledFinish, Vector
from procgen.finish.solid import isotropic, stream_seed

Floats = NDArray[np.float64]

PROFILE_POINTS = 1024  # of one revolution, to find the nose radius with
BISECTIONS = 60  # which halve the interval below rounding
MARK_LENGTH = 30.0  # over which one mark changes its depth, in feeds per revolution
MARK_OCTAVES = 2
GOLDEN = 0.6180339887498949  # passes start at multiples of it, in revolutions: no two alike


@dataclass(frozen=True, kw_only=True)
class MilledFinish(ProfiledFinish):
    """Tool-path arcs of a face mill that feeds along a direction, pass beside pass, back and forth.

    tool_diameter: m. teeth: of the cutter. feed_per_tooth: m. step_over: m between passes, at most the diameter.
    run_out: m by which the teeth differ in axial height; the lowest leaves the deepest arc of each revolution.
    back_cutting: 0 where the spindle is tilted so that only the front of the cutter touches, 1 where its back cuts
    as deep, which gives the cross-hatch of a true spindle. feed_direction, tool_axis: (3,). irregularity: standard
    deviation over Ra of what makes one arc differ from the next. anisotropy: 0 to 1, across the arcs.
    The nose radius of the teeth follows from Ra, feed and run-out: see `nose_radius`.
    """

    tool_diameter: float
    teeth: int
    feed_per_tooth: float
    step_over: float
    run_out: float = 0.0
    back_cutting: float = 0.0
    feed_direction: Vector = (1.0, 0.0, 0.0)
    tool_axis: Vector = (0.0, 0.0, 1.0)
    irregularity: float = 0.3
    anisotropy: float = 0.0
    kind: Literal["milled"] = "milled"

    positive: ClassVar = ("tool_diameter", "teeth", "feed_per_tooth", "step_over")
    not_negative: ClassVar = ("run_out", "irregularity")
    shares: ClassVar = ("back_cutting", "anisotropy")
    directions: ClassVar = ("feed_direction", "tool_axis")

    @property
    def lay_direction(self) -> Vector:
        """In the middle of a pass; the sample says it for every point."""
        x, y, z = frame_about(self.tool_axis, self.feed_direction)[2]
        return float(x), float(y), float(z)

    @property
    def feed_per_revolution(self) -> float:
        """m, after which the arcs repeat."""
        return self.teeth * self.feed_per_tooth

    @cached_property
    def nose_radius(self) -> float:
        """m, with which the teeth leave a profile of this Ra; larger noses leave a smoother surface."""
        low, high = (np.log(self.feed_per_tooth) + step for step in (-40.0, 40.0))
        for _ in range(BISECTIONS):
            radius = 0.5 * (low + high)
            profile = self._arcs(self._revolution, np.exp(radius))
            rougher = np.abs(profile - profile.mean()).mean() > self.ra
            low, high = (radius, high) if rougher else (low, radius)
        return float(np.exp(0.5 * (low + high)))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step_over > self.tool_diameter:
            raise BlemishError(
                f"milled finish: found a step_over of {self.step_over:g} m; expected at most the tool_diameter, "
                f"{self.tool_diameter:g} m, or strips between the passes would stay uncut"
            )

    def _relief(self, positions: Floats) -> Floats:
        number, offset, reach, travel = self._pass(positions)
        started = travel + number * GOLDEN * self.feed_per_revolution
        front = started - reach
        height = self._arcs(front, self.nose_radius)
        if self.back_cutting > 0.0:
            back = self._arcs(started + reach, self.nose_radius)
            height = np.minimum(height, back + (1.0 - self.back_cutting) * self._cusp_height)
        # Arcs differ by noise that is drawn out along them, and starts anew in every pass.
        length = MARK_LENGTH * self.feed_per_revolution
        along_arcs = np.stack([front / self.feed_per_tooth, offset / length, number * np.e], axis=1)
        return height / (self.ra or 1.0) + self.irregularity * isotropic(
            along_arcs, 1.0, MARK_OCTAVES, stream_seed(self.seed, 0)
        )

    def _lay(self, positions: Floats) -> Floats:
        _, forward, side = frame_about(self.tool_axis, self.feed_direction)
        number, offset, reach, _ = self._pass(positions)
        lean = -_heading(number) * offset
        return (lean[:, np.newaxis] * forward + reach[:, np.newaxis] * side) / (0.5 * self.tool_diameter)

    def _pass(self, positions: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Of the last pass over each point: its number, the distances (m) of the point from its middle, from there to
        the cutter's rim, and along its travel; all (N,)."""
        _, forward, side = frame_about(self.tool_axis, self.feed_direction)
        radius = 0.5 * self.tool_diameter
        first = np.random.default_rng([self.seed, 1]).random()  # where in a step the paths lie
        across = component(positions, side)
        number = np.floor((across + radius) / self.step_over + first)
        offset = across - (number - first) * self.step_over
        reach = np.sqrt(np.maximum(radius**2 - offset**2, 0.0))
        return number, offset, reach, _heading(number) * component(positions, forward)

    def _arcs(self, advance: Floats, nose_radius: float) -> Floats:
        """Height (m) of what the teeth leave at (N,) metres along the feed: the lowest of all their parabolas."""
        height = np.full(len(advance), np.inf)
        for tooth, rise in enumerate(self._rises):
            turns = (advance - tooth * self.feed_per_tooth) / self.feed_per_revolution
            aside = (turns - np.round(turns)) * self.feed_per_revolution
            np.minimum(height, rise + aside**2 / (2.0 * nose_radius), out=height)
        return height

    @property
    def _rises(self) -> Floats:
        """Axial height of each tooth, m; the lowest and the highest are the run-out apart."""
        drawn = np.random.default_rng([self.seed, 2]).random(self.teeth)
        result: Floats = self.run_out * (drawn - drawn.min()) / (float(np.ptp(drawn)) or 1.0)
        return result

    @cached_property
    def _cusp_height(self) -> float:
        return float(np.ptp(self._arcs(self._revolution, self.nose_radius)))

    @property
    def _revolution(self) -> Floats:
        return np.linspace(0.0, self.feed_per_revolution, PROFILE_POINTS, endpoint=False)


def _heading(number: Floats) -> Floats:
    """Passes go back and forth: 1 and -1 in turns."""
    return 1.0 - 2.0 * (number % 2.0)
