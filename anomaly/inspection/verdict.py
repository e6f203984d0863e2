"""The verdict on one picture, from its anomaly map: pure, and the same wherever the map was computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.evaluation.regions import bands, numbered_regions, region_areas


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
    """

    is_flawed: bool
    score: float
    threshold: float
    findings: tuple[Finding, ...]
    anomaly_map: NDArray[np.float32]
    mask: NDArray[np.bool_]


def verdict_of(anomaly_map: NDArray[np.float32], threshold: float, *, smallest: int = 0) -> Verdict:
    """The verdict on a map (H, W) as `Inspector.predict` gives it: regions applied, 0 where nobody looks.

    A pixel at or above the threshold is a defect, and a picture with one is flawed; places of fewer than `smallest`
    pixels count for nothing. A map from elsewhere first goes through `Regions.scaled`, where the inspector has any.
    """
    mask: NDArray[np.bool_] = anomaly_map >= np.float32(threshold)
    regions = numbered_regions(mask)
    areas = region_areas(regions)
    kept = [number for number in range(1, len(areas)) if areas[number] >= smallest]
    if len(kept) < len(areas) - 1:
        mask = np.concatenate([np.isin(regions[rows], kept) for rows in bands(regions.shape)])
    findings = _findings(anomaly_map, regions, kept)
    findings.sort(key=lambda finding: (-finding.area, finding.box.top, finding.box.left))
    return Verdict(bool(findings), float(anomaly_map.max()), threshold, tuple(findings), anomaly_map, mask)


def _findings(anomaly_map: NDArray[np.float32], regions: NDArray[np.int32], kept: list[int]) -> list[Finding]:
    from scipy.ndimage import find_objects

    boxes = find_objects(regions)
    found = []
    for number in kept:
        rows, columns = boxes[number - 1]
        within = regions[rows, columns] == number
        values = np.where(within, anomaly_map[rows, columns], -np.inf)
        row, column = divmod(int(values.argmax()), within.shape[1])
        length, width = _sides(within)
        found.append(
            Finding(
                Box(columns.start, rows.start, within.shape[1], within.shape[0]),
                int(np.count_nonzero(within)),
                length,
                width,
                float(values.max()),
                (columns.start + column, rows.start + row),
            )
        )
    return found


def _sides(within: NDArray[np.bool_]) -> tuple[float, float]:
    """Longer and shorter side, in pixels, of the smallest rectangle around the pixels' squares."""
    import cv2

    outline = within & ~_surrounded(within)
    rows, columns = np.nonzero(outline)
    corners = np.concatenate([np.stack([columns + x, rows + y], axis=1) for x in (0, 1) for y in (0, 1)])
    sides = cv2.minAreaRect(corners.astype(np.float32))[1]
    return float(max(sides)), float(min(sides))


def _surrounded(within: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) pixels all four of whose neighbours are within."""
    padded = np.pad(within, 1)
    inner: NDArray[np.bool_] = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inner
