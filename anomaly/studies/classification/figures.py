"""What is counted of classified pictures, and the figures that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_confusion_matrix

from anomaly.studies.engine.bootstrap import Values, mean_of_defined
from anomaly.studies.engine.labelled import LabelledPicture
from anomaly.studies.engine.task import SurfaceStatistics


def confusion(truth: Sequence[int], predicted: Sequence[int], classes: int) -> NDArray[np.int64]:
    """(classes, classes) pictures by their true and their predicted class."""
    found = multiclass_confusion_matrix(torch.tensor(predicted), torch.tensor(truth), classes)
    return np.asarray(found.numpy(), np.int64)


def counted(pictures: Sequence[LabelledPicture], predicted: Sequence[int], classes: int) -> SurfaceStatistics:
    """The confusion counts of every surface, for pictures and the class that was found on each."""
    by_surface: dict[str, list[tuple[int, int]]] = {}
    for picture, found in zip(pictures, predicted, strict=True):
        by_surface.setdefault(picture.surface, []).append((picture.label or 0, found))
    surfaces = tuple(sorted(by_surface))
    pairs = [list(zip(*by_surface[name], strict=True)) for name in surfaces]
    counts = np.stack([confusion(truth, found, classes) for truth, found in pairs])
    return SurfaceStatistics(surfaces, counts[:, 1:].sum(axis=(1, 2)) > 0, {"confusion": counts})


def figures_of(counts: NDArray[np.int64], names: Sequence[str], weights: Values) -> dict[str, Values]:
    """Accuracy, macro F1, balanced accuracy and recalls for R choices among surfaces: counts (G, C, C), weights (R, G).

    names: of all C classes. Means are over the classes that are there or predicted, and over those that are there.
    """
    totals = np.einsum("rg,gtp->rtp", weights, counts)
    hits, there, predicted = np.einsum("rcc->rc", totals), totals.sum(axis=2), totals.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = hits.sum(axis=1) / totals.sum(axis=(1, 2))
        recall, f1 = hits / there, 2 * hits / (there + predicted)
    return {
        "accuracy": accuracy,
        "macro_f1": mean_of_defined(list(f1.T), len(weights)),
        "mean_recall": mean_of_defined(list(recall.T), len(weights)),
        **{f"recall/{name}": recall[:, number] for number, name in enumerate(names)},
    }
