"""Every figure of an inspector for many choices among the surfaces at once, which is what the bootstrap asks for."""

from __future__ import annotations

import numpy as np

from anomaly.evaluation.metrics import PRO_LIMIT
from anomaly.studies.anomaly.counts import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    FOUND,
    INSTANCES,
    PIXELS,
    PREDICTED,
    TRUE_POSITIVE,
    SurfaceCounts,
)
from anomaly.studies.engine.bootstrap import Values, mean_of_defined

FIGURES = (
    "pixel_precision",
    "pixel_recall",
    "pixel_f1",
    "mean_defect_wise_recall",
    "mean_impurity_wise_recall",
    "image_auroc",
    "pixel_auroc",
    "aupro",
)


def replicated(counts: SurfaceCounts, weights: Values) -> dict[str, Values]:
    """Every one of FIGURES, (1 + B,), for weights (1 + B, G) of the surfaces."""
    tp, fp, fn = (weights @ counts.pixels[:, k] for k in (TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE))
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(tp + fp > 0, tp / (tp + fp), 0.0)  # torchmetrics has 0 where nothing is predicted
        recall, f1 = tp / (tp + fn), 2 * tp / (2 * tp + fp + fn)
    found: dict[str, list[Values]] = {"defect": [], "impurity": []}
    for (family, _), (_, values) in class_recalls(counts, weights).items():
        found[family].append(values)
    pixel_auroc, aupro = _pixel_areas(counts, weights)
    return {
        "pixel_precision": np.where(tp + fn > 0, precision, np.nan),
        "pixel_recall": recall,
        "pixel_f1": f1,
        "mean_defect_wise_recall": mean_of_defined(found["defect"], len(weights)),
        "mean_impurity_wise_recall": mean_of_defined(found["impurity"], len(weights)),
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
