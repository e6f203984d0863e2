"""The verdict on one picture, from its anomaly map: pure, and the same wherever the map was computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenes.pictures.on_disk import Rows, beside
from scenes.pictures.regions import BandedRegions, bands


class Box(NamedTuple):
    """Of pixels: the first column and row, and how many columns and rows."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Finding:
    """One 8-connected place at or above the threshold.

    area: pixels. length, width: of the smallest rectangle around it, turned as it may be, pixels. peak: its highest
    value; peak_at: its column and row.
    """

    box: Box
    area: int
    length: float
    width: float
    peak: float
    peak_at: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether a picture is flawed, and what was found where, largest first.

    score: highest value of anomaly_map (H, W) float32; mask: (H, W) bool, what was found.
    Of a picture on disk both are on disk.
    """

    is_flawed: bool
    score: float
    threshold: float
    findings: tuple[Finding, ...]
    anomaly_map: Rows
    mask: Rows


def verdict_of(anomaly_map: Rows, threshold: float, *, smallest: int = 0) -> Verdict:
    """The verdict on a map (H, W) as `Inspector.predict` gives it: regions applied, 0 where nobody looks.

    A pixel at or above the threshold is a defect, and a picture with one is flawed; places of fewer than `smallest`
    pixels count for nothing. A map from elsewhere first goes through `Regions.scaled`, where the inspector has any.
    """
    mask, score = beside(anomaly_map, anomaly_map.shape, np.bool_), -np.inf
    for rows in bands(anomaly_map.shape):
        values = anomaly_map[rows]
        mask[rows] = values >= np.float32(threshold)
        score = np.maximum(score, values.max())
    regions = BandedRegions(mask)
    places = _places(anomaly_map, regions, smallest)
    if len(places) < len(regions.sizes) - 1:
        is_kept = np.zeros(len(regions.sizes), np.bool_)
        is_kept[list(places)] = True
        for rows in regions.bands:
            mask[rows] = is_kept[regions.numbers(rows)]
    findings = [places[number].finding() for number in sorted(places)]
    findings.sort(key=lambda finding: (-finding.area, finding.box.top, finding.box.left))
    return Verdict(bool(findings), float(score), threshold, tuple(findings), anomaly_map, mask)


class _Place:
    """What is known of a region of a mask after some of its parts: its size, highest value and convex hull."""

    def __init__(self) -> None:
        self.area = 0
        self.peak, self.peak_at = -np.inf, (0, 0)  # row and column, the first of several
        self.hulls: list[NDArray[np.int32]] = []  # (N, 2) column and row of corners of pixels

    def add(self, values: NDArray[np.float32], within: NDArray[np.bool_], top: int, left: int) -> None:
        """Take in a part of it, the pixels `within` a box (h, w) that begins at a row and a column of the picture."""
        self.area += int(np.count_nonzero(within))
        own = np.where(within, values, -np.inf)
        row, column = divmod(int(own.argmax()), within.shape[1])
        peak, at = float(own[row, column]), (top + row, left + column)
        if peak > self.peak or (peak == self.peak and at < self.peak_at):
            self.peak, self.peak_at = peak, at
        self.hulls.append(_hull(within) + np.array([left, top], np.int32))

    def finding(self) -> Finding:
        """What was found."""
        corners = np.concatenate(self.hulls)
        start, beyond = corners.min(axis=0), corners.max(axis=0)
        box = Box(*start.tolist(), *(beyond - start).tolist())
        return Finding(box, self.area, *_sides(corners - start), self.peak, self.peak_at[::-1])


def _places(anomaly_map: Rows, regions: BandedRegions, smallest: int) -> dict[int, _Place]:
    """By their numbers, the regions of at least `smallest` pixels."""
    from scipy.ndimage import find_objects

    places: dict[int, _Place] = {}
    for rows in regions.bands:
        pieces, numbers = regions.pieces(rows)
        if len(numbers) == 1:
            continue
        values = anomaly_map[rows]
        for piece, box in enumerate(find_objects(pieces), start=1):
            number = int(numbers[piece])
            if regions.sizes[number] >= smallest:
                place = places.setdefault(number, _Place())
                place.add(values[box], pieces[box] == piece, rows.start + box[0].start, box[1].start)
    return places


def _hull(within: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(N, 2) columns and rows of the convex hull of the squares of pixels within (H, W)."""
    import cv2

    rows, columns = np.nonzero(within & ~_surrounded(within))
    corners = np.concatenate([np.stack([columns + x, rows + y], axis=1) for x in (0, 1) for y in (0, 1)])
    hull: NDArray[np.int32] = cv2.convexHull(corners.astype(np.int32))[:, 0]
    return hull


def _sides(corners: NDArray[np.int32]) -> tuple[float, float]:
    """Longer and shorter side, in pixels, of the smallest rectangle around corners (N, 2)."""
    import cv2

    sides = cv2.minAreaRect(corners.astype(np.float32))[1]
    return float(max(sides)), float(min(sides))


def _surrounded(within: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) pixels all four of whose neighbours are within."""
    padded = np.pad(within, 1)
    inner: NDArray[np.bool_] = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inner
