"""What is counted of predicted masks, and the figures that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomaly.studies.engine.labelled import IGNORED

Values = NDArray[np.float64]


def confusion(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """(classes, classes) pixels by their true and their predicted class, the background being class 0."""
    known = truth != IGNORED
    pairs = truth[known].astype(np.int64) * classes + predicted[known]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def figures_of(counts: NDArray[np.int64], names: Sequence[str], weights: Values) -> dict[str, Values]:
    """IoU and recall for R choices among surfaces: counts (G, C, C), weights (R, G), every figure (R,).

    Of each defect class as "iou/NAME" and "recall/NAME", "iou" and "recall" their means without the background, and
    "…_with_background" the means with it. A class that is neither there nor predicted has no IoU, one that is not
    there has no recall; means are over the classes that have one.
    """
    totals = np.einsum("rg,gtp->rtp", weights, counts)
    hits = np.einsum("rcc->rc", totals)
    there, predicted = totals.sum(axis=2), totals.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_figure = {"iou": hits / (there + predicted - hits), "recall": hits / there}
    found: dict[str, Values] = {}
    for figure, values in by_figure.items():
        found[figure] = _mean_of_defined(values[:, 1:])
        found[f"{figure}_with_background"] = _mean_of_defined(values)
        found |= {f"{figure}/{name}": values[:, number] for number, name in enumerate(names, 1)}
    return found


def _mean_of_defined(values: Values) -> Values:
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean: Values = np.where(defined, values, 0.0).sum(axis=1) / defined.sum(axis=1)
    return mean
