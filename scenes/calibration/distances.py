"""How far two sets of pictures lie apart, by quantiles of their statistics, so that a few odd ones weigh nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHARES = np.linspace(0.1, 0.9, 9)  # quantiles that are compared; what lies beyond may be flawed
NORMAL = 1.4826  # deviation over median absolute deviation, of a normal distribution
DIRECTIONS = 192  # random ones on which features are looked at
DRAWS = 200


def centre_and_scale(rows: Floats, least: float | Floats = 0.0) -> tuple[Floats, Floats]:
    """Median and robust deviation (d,) of the columns of (n, d); the deviation is `least` or more, and never 0."""
    middle = np.median(rows, axis=0)
    deviation = NORMAL * np.median(np.abs(rows - middle), axis=0)
    held = np.maximum(deviation, least)
    return middle, np.where(held > 0, held, 1.0)


def quantiles(rows: Floats) -> Floats:
    """(SHARES, d) of the columns of (n, d)."""
    ordered = np.sort(rows, axis=0)
    place = SHARES * (len(rows) - 1)
    below = np.minimum(place.astype(np.int64), max(len(rows) - 2, 0))
    above = np.minimum(below + 1, len(rows) - 1)
    share = (place - below)[:, None]
    return np.asarray(ordered[below] * (1 - share) + ordered[above] * share)


def quantile_distance(first: Floats, second: Floats) -> float:
    """Mean distance of the quantiles of (n, d) and (m, d), over quantiles and columns [Villani 2009]."""
    return float(np.abs(quantiles(first) - quantiles(second)).mean())


def projected(rows: Floats, seed: int) -> Floats:
    """(n, DIRECTIONS) of rows (n, d) along random directions, as for the sliced distance of [Bonneel 2015]."""
    directions = np.random.default_rng(seed).standard_normal((rows.shape[1], DIRECTIONS))
    return np.asarray(rows @ (directions / np.linalg.norm(directions, axis=0)))


def floor_distance(rows: Floats, groups: NDArray[np.str_], count: int, seed: int) -> float:
    """Mean distance of about `count` rows from the others, over random draws that part no group."""
    rng = np.random.default_rng(seed)
    names = np.unique(groups)
    found = []
    for _ in range(DRAWS // 4):
        drawn: list[str] = []
        for name in rng.permutation(names):
            if np.isin(groups, drawn).sum() >= count or len(drawn) == len(names) - 1:
                break
            drawn.append(name)
        apart = np.isin(groups, drawn)
        found.append(quantile_distance(rows[apart], rows[~apart]))
    return float(np.mean(found))


def share_nearer(real: Floats, before: Floats, after: Floats, seed: int) -> float:
    """In what share of draws with replacement, of all three sets of rows, `after` is nearer to the real ones.

    before and after: rows of the same frames, drawn together.
    """
    rng = np.random.default_rng(seed)
    nearer = 0
    for _ in range(DRAWS):
        photographs = real[rng.integers(len(real), size=len(real))]
        frames = rng.integers(len(before), size=len(before))
        nearer += quantile_distance(photographs, after[frames]) < quantile_distance(photographs, before[frames])
    return nearer / DRAWS
