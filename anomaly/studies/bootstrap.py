"""How sure the figures are: bootstrap over surfaces and seeds.

A replicate draws as many surfaces as there are, with replacement, defective and good ones apart, since pictures of one
surface are not independent; and as many seeds. All scenarios and seeds see the same draw, so that differences between
two scenarios have intervals of their own, narrower than those of either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.evaluation.metrics import PRO_LIMIT
from anomaly.studies.counts import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    FOUND,
    INSTANCES,
    PIXELS,
    PREDICTED,
    TRUE_POSITIVE,
    SurfaceCounts,
)

Values = NDArray[np.float64]
FIGURES = (
    "pixel_precision",
    "pixel_recall",
    "pixel_f1",
    "mean_defect_wise_recall",
    "image_auroc",
    "pixel_auroc",
    "aupro",
)


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

    def weights(self, counts: SurfaceCounts) -> Values:
        """(1 + B, surfaces of the counts): each once, then as each replicate draws them."""
        place = {name: index for index, name in enumerate(self.names)}
        drawn = self.surfaces[:, [place[name] for name in counts.surfaces]]
        return np.concatenate([np.ones((1, len(counts.surfaces))), drawn])


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


def replicated(counts: SurfaceCounts, weights: Values) -> dict[str, Values]:
    """Every one of FIGURES, (1 + B,), for weights (1 + B, G) of the surfaces."""
    tp, fp, fn = (weights @ counts.pixels[:, k] for k in (TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE))
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(tp + fp > 0, tp / (tp + fp), 0.0)  # torchmetrics has 0 where nothing is predicted
        recall, f1 = tp / (tp + fn), 2 * tp / (2 * tp + fp + fn)
    found = [values for (family, _), (_, values) in class_recalls(counts, weights).items() if family == "defect"]
    pixel_auroc, aupro = _pixel_areas(counts, weights)
    return {
        "pixel_precision": np.where(tp + fn > 0, precision, np.nan),
        "pixel_recall": recall,
        "pixel_f1": f1,
        "mean_defect_wise_recall": _mean_of_defined(found, len(weights)),
        "image_auroc": _image_auroc(counts, weights),
        "pixel_auroc": pixel_auroc,
        "aupro": aupro,
    }


def class_recalls(counts: SurfaceCounts, weights: Values) -> dict[tuple[str, str], tuple[Values, Values]]:
    """Recall of pixels and of instances, each (1 + B,), by (family, class)."""
    totals = np.einsum("bg,gck->cbk", weights, counts.recalls)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            kind: (rows[:, PREDICTED] / rows[:, PIXELS], rows[:, FOUND] / rows[:, INSTANCES])
            for kind, rows in zip(counts.classes, totals, strict=True)
        }


def _image_auroc(counts: SurfaceCounts, weights: Values) -> Values:
    bad, good = np.flatnonzero(counts.defective), np.flatnonzero(~counts.defective)
    difference = counts.scores[bad][:, None] - counts.scores[good]
    wins = (difference > 0) + (difference == 0) / 2
    of_bad, of_good = weights[:, counts.surface[bad]], weights[:, counts.surface[good]]
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Values = np.einsum("bi,bi->b", of_bad @ wins, of_good) / (of_bad.sum(axis=1) * of_good.sum(axis=1))
    return area


def _pixel_areas(counts: SurfaceCounts, weights: Values) -> tuple[Values, Values]:
    """Pixel AUROC and AUPRO from histograms, the scores within a bin taken as spread evenly over it."""
    good, bad, shares = ((weights @ part)[:, ::-1] for part in (counts.good, counts.bad, counts.shares))
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = _cumulated(good) / good.sum(axis=1, keepdims=True)
        found = _cumulated(bad) / bad.sum(axis=1, keepdims=True)
        overlap = _cumulated(shares) / (weights @ counts.regions)[:, None]
    return _area_below(rate, found, 1.0), _area_below(rate, overlap, PRO_LIMIT) / PRO_LIMIT


def _area_below(x: Values, y: Values, limit: float) -> Values:
    """Areas under curves (B, K), x ascending from 0 to 1, from 0 to `limit`."""
    left, right = np.minimum(x[:, :-1], limit), np.minimum(x[:, 1:], limit)
    with np.errstate(invalid="ignore", divide="ignore"):
        reached = np.where(x[:, 1:] > x[:, :-1], (right - left) / (x[:, 1:] - x[:, :-1]), 0.0)
    end = y[:, :-1] + reached * (y[:, 1:] - y[:, :-1])
    area: Values = ((right - left) * (y[:, :-1] + end) / 2).sum(axis=1)
    return np.where(np.isfinite(x[:, -1]) & np.isfinite(y[:, -1]), area, np.nan)


def _cumulated(counts: Values) -> Values:
    return np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)


def _mean_of_defined(rows: Sequence[Values], length: int) -> Values:
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
