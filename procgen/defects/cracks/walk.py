"""Cracks that run along step by step, each step where the hoop stress before the tip is largest."""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.defects.cracks.graph import CrackGraph
from procgen.defects.cracks.opening import Opening, opened
from procgen.errors import BlemishError
from procgen.surface.checks import require

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

KINKED_TIP = 0.5  # K_II / K_I at a tip that has turned from its course, over the tangent of that angle
STEEPEST = 1.4  # rad off its course, beyond which a crack has no tension left to open it
LEAST_SHARE, LARGEST_SHARE = 0.5, 0.8  # of the energy that the stronger arm of a fork keeps
FORK_REACH = 0.5  # share of an arm's length over which it turns back to the course: arms repel at first
ANGLE_VARIATION = 0.25  # standard deviation over mean, of the angle between arms
MOST_STEPS = 2000  # along the main crack
MOST_ARMS = 64


@dataclass(frozen=True, kw_only=True)
class WalkParameters(Opening):
    """How a crack runs; see Opening for its width and depth.

    length: m, of the main crack along itself. step: m, after which the tip chooses anew; the grain of the material.
    mode_mixity: standard deviation of K_II / K_I, an Ornstein-Uhlenbeck process along the crack that forgets itself
    over mixity_correlation (m). grain_mixity: the same from one step to the next, without memory.
    branching_threshold: K_I that makes the tip fork, over K_I at the full length; K_I grows with the root of the
    length and fluctuates, as a lognormal process with standard deviation intensity_sigma over mixity_correlation.
    branching_angle: rad, between the arms, on average. start_taper, end_taper: shares of the length over which the
    crack closes towards its start and its free ends.
    Raises BlemishError for values out of range.
    """

    length: float
    step: float
    mode_mixity: float = 0.15
    mixity_correlation: float = 5e-3
    grain_mixity: float = 0.1
    branching_threshold: float = 1.5
    intensity_sigma: float = 0.25
    branching_angle: float = 0.94
    start_taper: float = 0.0
    end_taper: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            "crack",
            length=(self.length, "positive"),
            step=(self.step, "positive"),
            mode_mixity=(self.mode_mixity, "not negative"),
            mixity_correlation=(self.mixity_correlation, "positive"),
            grain_mixity=(self.grain_mixity, "not negative"),
            branching_threshold=(self.branching_threshold, "positive"),
            intensity_sigma=(self.intensity_sigma, "not negative"),
            branching_angle=(self.branching_angle, "not negative"),
            start_taper=(self.start_taper, "0 to 1"),
            end_taper=(self.end_taper, "0 to 1"),
        )
        if self.length > MOST_STEPS * self.step:
            raise BlemishError(
                f"crack: found a length of {self.length:g} m in steps of {self.step:g} m; "
                f"expected at most {MOST_STEPS} steps"
            )


def kink_angle(mixity: float) -> float:
    """The angle (rad) by which a tip under K_II / K_I = mixity turns: towards the largest hoop stress.

    At most 70.5°, under pure shear (Erdogan and Sih, Journal of Basic Engineering 85, 1963).
    """
    return float(-2.0 * np.arctan(2.0 * mixity / (1.0 + np.sqrt(1.0 + 8.0 * mixity**2))))


def simulate_fracture_walk(
    parameters: WalkParameters, start: ArrayLike, course: float, size: ArrayLike, rng: np.random.Generator
) -> CrackGraph:
    """Walk from `start` (2,), m, along `course` (rad), the direction of mode I, over a chart of extents `size` (2,), m.

    Each step kinks by the maximum-hoop-stress criterion. Shear turns a tip back that is off its course: K_II is
    half the tangent of the angle times K_I (Cotterell and Rice, International Journal of Fracture 16, 1980). A fork
    shares the energy release rate, so that each arm's K_I is the root of its share, and the weaker arm runs less far.
    The arms grow in turn, and end where they meet another, leave the chart, or have used up their length.
    """
    extent = np.asarray(size, dtype=np.float64)
    web = _Web(np.asarray(start, dtype=np.float64))
    tips = deque([_Tip.at_start(parameters, course, rng)])
    closing = {0: parameters.start_taper * parameters.length}
    arms = 1
    while tips:
        tip = tips.popleft()
        step = tip.advance(parameters, course, rng)
        tip.vertex, blocked = web.grown(tip.vertex, step, np.sqrt(tip.share))
        place = web.vertices[tip.vertex]
        if blocked or (place < 0.0).any() or (place > extent).any():
            continue
        if tip.remaining <= 0.0:
            closing[tip.vertex] = parameters.end_taper * tip.reach
            continue
        tips.append(tip)
        if arms < MOST_ARMS and tip.stress_intensity(parameters) > parameters.branching_threshold:
            tips.append(tip.forked(parameters, course, rng))
            arms += 1
    return opened(parameters, *web.graph(), rng, closing, web.shares[: web.count])


@dataclass
class _Tip:
    """Where an arm has got to: the vertex of its tip, and its heading, rad.

    turned_by: rad, by the fork where it began, reach and walked: m, its length in the end and by now. run: m, from the
    start of the crack. share: of the energy release rate. mixity, intensity: the two processes, standard normal.
    """

    vertex: int
    heading: float
    turned_by: float
    reach: float
    walked: float
    run: float
    remaining: float
    share: float
    mixity: float
    intensity: float

    @classmethod
    def at_start(cls, parameters: WalkParameters, course: float, rng: np.random.Generator) -> "_Tip":
        length = parameters.length
        return cls(0, course, 0.0, length, 0.0, 0.0, length, 1.0, *rng.standard_normal(2).tolist())

    def advance(self, parameters: WalkParameters, course: float, rng: np.random.Generator) -> Floats:
        """Kink, and return the step (2,), m."""
        length = min(parameters.step, self.remaining)
        memory = float(np.exp(-length / parameters.mixity_correlation))
        news = np.sqrt(1.0 - memory**2) * rng.standard_normal(2)
        self.mixity, self.intensity = memory * self.mixity + news[0], memory * self.intensity + news[1]

        course += self.turned_by * float(np.exp(-self.walked / (FORK_REACH * self.reach)))
        off_course = float(np.clip(self.heading - course, -STEEPEST, STEEPEST))
        mixity = KINKED_TIP * np.tan(off_course) + parameters.mode_mixity * self.mixity
        mixity += parameters.grain_mixity * rng.standard_normal()
        self.heading = course + off_course + kink_angle(mixity)
        self.walked, self.run, self.remaining = self.walked + length, self.run + length, self.remaining - length
        return length * np.array([np.cos(self.heading), np.sin(self.heading)])

    def stress_intensity(self, parameters: WalkParameters) -> float:
        """K_I over its nominal value at the full length."""
        nominal = np.sqrt(self.share * self.run / parameters.length)
        return float(nominal * np.exp(parameters.intensity_sigma * self.intensity))

    def forked(self, parameters: WalkParameters, course: float, rng: np.random.Generator) -> "_Tip":
        """Turn into the stronger arm of a fork, and return the weaker one."""
        strong = rng.uniform(LEAST_SHARE, LARGEST_SHARE)
        angle = rng.choice((-1.0, 1.0)) * parameters.branching_angle * rng.normal(1.0, ANGLE_VARIATION)
        remaining = self.remaining * (1.0 - strong) / strong
        weaker = replace(
            self,
            heading=self.heading + strong * angle,
            reach=remaining,
            walked=0.0,
            remaining=remaining,
            share=(1.0 - strong) * self.share,
            mixity=float(rng.standard_normal()),
            intensity=float(rng.standard_normal()),
        )
        self.heading -= (1.0 - strong) * angle
        self.walked, self.share, self.intensity = 0.0, strong * self.share, float(rng.standard_normal())
        for arm in (self, weaker):
            arm.turned_by = arm.heading - course
        return weaker


class _Web:
    """Arms growing side by side. vertices: (capacity, 2) m, of which the first `count` count; shares: likewise."""

    def __init__(self, start: Floats) -> None:
        self.count, self.edge_count = 1, 0
        self.vertices, self.shares = np.zeros((64, 2)), np.ones(64)
        self.edges = np.zeros((128, 2), dtype=np.int64)
        self.vertices[0] = start

    def graph(self) -> tuple[Floats, Indices]:
        return self.vertices[: self.count].copy(), self.edges[: self.edge_count].copy()

    def grown(self, vertex: int, step: Floats, share: float) -> tuple[int, bool]:
        """Add an edge from `vertex` by `step` (2,), m, or up to the first edge in its way: its end, and if one was."""
        start = self.vertices[vertex]
        edges = self.edges[: self.edge_count]
        tail, head = self.vertices[edges[:, 0]], self.vertices[edges[:, 1]]
        span, away = head - tail, tail - start
        with np.errstate(divide="ignore", invalid="ignore"):
            cross = step[0] * span[:, 1] - step[1] * span[:, 0]
            along = (away[:, 0] * span[:, 1] - away[:, 1] * span[:, 0]) / cross
            across = (away[:, 0] * step[1] - away[:, 1] * step[0]) / cross
        meets = (along > 0.0) & (along <= 1.0) & (across >= 0.0) & (across <= 1.0) & (edges != vertex).all(axis=1)
        if not meets.any():
            end = self._vertex(start + step, share)
            self._edge(vertex, end)
            return end, False
        first = int(np.argmin(np.where(meets, along, np.inf)))
        end = self._vertex(start + along[first] * step, share)
        beyond = int(self.edges[first, 1])
        self.edges[first, 1] = end
        self._edge(end, beyond)
        self._edge(vertex, end)
        return end, True

    def _vertex(self, place: Floats, share: float) -> int:
        if self.count == len(self.vertices):
            self.vertices, self.shares = np.tile(self.vertices, (2, 1)), np.tile(self.shares, 2)
        self.vertices[self.count], self.shares[self.count] = place, share
        self.count += 1
        return self.count - 1

    def _edge(self, tail: int, head: int) -> None:
        if self.edge_count == len(self.edges):
            self.edges = np.tile(self.edges, (2, 1))
        self.edges[self.edge_count] = tail, head
        self.edge_count += 1
