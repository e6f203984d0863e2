"""How sure the figures are: bootstrap over surfaces and seeds.

A replicate draws as many surfaces as there are, with replacement, defective and good ones apart, since pictures of one
surface are not independent; and as many seeds. All ways of training and all seeds see the same draw, so that
differences between two of them have intervals of their own, narrower than those of either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure's mean over the seeds and the interval that the bootstrap gives; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Draws:
    """Replicates: surfaces (B, G) says how often each is drawn, seeds (B, S) which are."""

    names: tuple[str, ...]
    surfaces: NDArray[np.int64]
    seeds: NDArray[np.int64]

    def weights(self, surfaces: Sequence[str]) -> Values:
        """(1 + B, surfaces): each once, then as each replicate draws them."""
        place = {name: index for index, name in enumerate(self.names)}
        return np.concatenate([np.ones((1, len(surfaces))), self.surfaces[:, [place[name] for name in surfaces]]])


def draw(surfaces: Mapping[str, bool], seeds: int, samples: int, seed: int) -> Draws:
    """Replicates for surfaces, given by name and whether they are defective, and a number of seeds."""
    rng = np.random.default_rng(seed)
    names = tuple(sorted(surfaces))
    counts = np.zeros((samples, len(names)), np.int64)
    for kind in (False, True):
        members = np.array([index for index, name in enumerate(names) if surfaces[name] is kind], np.int64)
        if members.size:
            counts[:, members] = rng.multinomial(members.size, np.full(members.size, 1 / members.size), samples)
    return Draws(names, counts, rng.integers(seeds, size=(samples, seeds)))


def estimate(by_seed: Values, draws: Draws, level: float) -> Estimate:
    """The estimate of a figure, given for every seed, the figure itself and that of each replicate: (S, 1 + B)."""
    with np.errstate(invalid="ignore"):
        value = _mean(by_seed[:, 0])
        drawn = by_seed[draws.seeds, np.arange(1, by_seed.shape[1])[:, None]]  # (B, S)
        means = np.array([_mean(row) for row in drawn])
    sound = means[np.isfinite(means)]
    if not sound.size:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(sound, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))


def mean_of_defined(rows: Sequence[Values], length: int) -> Values:
    """The mean over rows, each (1 + B,), of what is defined."""
    if not rows:
        return np.full(length, np.nan)
    stacked = np.stack(rows)
    defined = np.isfinite(stacked)
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Values = np.where(defined, stacked, 0.0).sum(axis=0) / defined.sum(axis=0)
    return result


def _mean(values: Values) -> float:
    sound = values[np.isfinite(values)]
    return float(sound.mean()) if sound.size else float("nan")
