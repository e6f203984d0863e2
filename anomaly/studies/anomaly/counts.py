"""What is counted of every evaluated surface: enough to compute each figure again for any choice among the surfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.formats.sample import GOOD
from scenes.formats.truth import Truth
from scenes.pictures.regions import numbered_regions

BIN_SHIFT = 15  # of float32 bits: sign, exponent and 8 bits of the mantissa are left, bins 0.4 % wide
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = range(3)
INSTANCES, PIXELS, PREDICTED, FOUND = range(4)


@dataclass(frozen=True, eq=False)
class SurfaceCounts:
    """Counts by surface (G of them).

    pixels (G, 3): true positives, false positives, false negatives. classes: (family, name) of C classes; recalls
    (G, C, 4): instances, their pixels, predicted pixels, instances with any. scores (N,), defective (N,) bool and
    surface (N,) of every picture. bins (K,): ascending; good, bad (G, K): pixels by bin of their score, without and
    with a defect; shares (G, K): of defect regions; regions (G,): their number.
    """

    surfaces: tuple[str, ...]
    pixels: NDArray[np.int64]
    classes: tuple[tuple[str, str], ...]
    recalls: NDArray[np.int64]
    scores: NDArray[np.float64]
    defective: NDArray[np.bool_]
    surface: NDArray[np.int64]
    bins: NDArray[np.uint32]
    good: NDArray[np.int64]
    bad: NDArray[np.int64]
    shares: NDArray[np.float64]
    regions: NDArray[np.int64]

    @property
    def defective_surfaces(self) -> NDArray[np.bool_]:
        """(G,) whether any picture of a surface shows a defect."""
        return np.bincount(self.surface, self.defective, len(self.surfaces)) > 0

    def save(self, path: Path) -> None:
        """Write to a .npz file."""
        names = {"surfaces": np.array(self.surfaces), "classes": np.array(self.classes).reshape(-1, 2)}
        np.savez_compressed(path, **{**vars(self), **names})

    @classmethod
    def load(cls, path: Path) -> SurfaceCounts:
        with np.load(path, allow_pickle=False) as stored:
            values: dict[str, Any] = dict(stored)
        values["surfaces"] = tuple(map(str, values["surfaces"]))
        values["classes"] = tuple((str(family), str(name)) for family, name in values["classes"])
        return cls(**values)


class SurfaceCounter:
    """Counts pictures, one at a time; threshold: a pixel at or above it is predicted."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._counts: dict[str, _Counts] = {}
        self._pictures: list[tuple[float, bool, str]] = []

    def update(
        self,
        anomaly_map: NDArray[np.float32],
        truth: Truth,
        label: str,
        surface: str,
        score: float,
        valid_mask: NDArray[np.bool_] | None = None,
    ) -> None:
        """Take in one picture: anomaly_map (H, W), distances; valid_mask (H, W): the pixels that count, else all."""
        counts = self._counts.setdefault(surface, _Counts({}, {}, {}, {}))
        self._pictures.append((score, label != GOOD, surface))
        predicted, defect = anomaly_map >= self._threshold, truth.defect
        if valid_mask is not None:
            predicted, defect = predicted & valid_mask, defect & valid_mask
        hits = np.count_nonzero(predicted & defect)
        counts.pixels += (hits, np.count_nonzero(predicted) - hits, np.count_nonzero(defect) - hits)
        for kind, size, hit in zip(truth.kinds(), truth.areas(), truth.areas(predicted), strict=True):
            counts.recalls[kind] = counts.recalls.get(kind, 0) + np.array([1, size, hit, hit > 0])
        bins = bins_of(anomaly_map)
        _add(counts.good, bins[~defect if valid_mask is None else ~defect & valid_mask])
        if defect.any():
            _add(counts.bad, bins[defect])
            counts.regions += _add_regions(counts.shares, bins, defect)

    def counts(self) -> SurfaceCounts:
        surfaces = tuple(sorted(self._counts))
        every = [self._counts[name] for name in surfaces]
        classes = tuple(sorted({kind for counts in every for kind in counts.recalls}))
        used = np.array(sorted({b for c in every for histogram in (c.good, c.bad) for b in histogram}), np.uint32)
        recalls = np.zeros((len(surfaces), len(classes), 4), np.int64)
        for row, counts in zip(recalls, every, strict=True):
            for kind, values in counts.recalls.items():
                row[classes.index(kind)] = values
        place = {name: index for index, name in enumerate(surfaces)}
        return SurfaceCounts(
            surfaces,
            np.array([counts.pixels for counts in every], np.int64).reshape(-1, 3),
            classes,
            recalls,
            np.array([score for score, _, _ in self._pictures], float),
            np.array([bad for _, bad, _ in self._pictures], bool),
            np.array([place[name] for _, _, name in self._pictures], np.int64),
            used,
            _dense([counts.good for counts in every], used, np.int64),
            _dense([counts.bad for counts in every], used, np.int64),
            _dense([counts.shares for counts in every], used, np.float64),
            np.array([counts.regions for counts in every], np.int64),
        )


_Histogram = dict[int, float]


@dataclass
class _Counts:
    good: _Histogram
    bad: _Histogram
    shares: _Histogram
    recalls: dict[tuple[str, str], Any]
    regions: int = 0

    def __post_init__(self) -> None:
        self.pixels = np.zeros(3, np.int64)


def bins_of(distances: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The bin of every distance, which is not negative, in their order."""
    return (np.ascontiguousarray(distances, np.float32) + np.float32(0)).view(np.uint32) >> np.uint32(BIN_SHIFT)


def _add(histogram: _Histogram, bins: NDArray[np.uint32], weights: NDArray[np.float64] | None = None) -> None:
    if not bins.size:
        return
    first = int(bins.min())
    counts = np.bincount(bins - first, weights)
    for place in np.flatnonzero(counts):
        histogram[first + int(place)] = histogram.get(first + int(place), 0) + counts[place]


def _add_regions(histogram: _Histogram, bins: NDArray[np.uint32], defect: NDArray[np.bool_]) -> int:
    """Count every 8-connected region as one, shared out among the bins of its pixels; gives the number of regions."""
    regions = numbered_regions(defect)[defect]
    sizes = np.bincount(regions)
    _add(histogram, bins[defect], 1.0 / sizes[regions])
    return len(sizes) - 1


def _dense(histograms: Sequence[Mapping[int, float]], bins: NDArray[np.uint32], kind: Any) -> NDArray[Any]:
    result = np.zeros((len(histograms), len(bins)), kind)
    for row, histogram in zip(result, histograms, strict=True):
        if histogram:
            row[np.searchsorted(bins, list(histogram))] = list(histogram.values())
    return result
