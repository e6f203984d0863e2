"""Where on a picture an inspector looks: a picture of levels, 0 left out, each other one a region of the part.

A region may have a threshold of its own. Its values are then scaled by the inspector's threshold over its own, so that
one threshold serves the whole map: the score, the figures of an evaluation and every export stay what they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from scenes.pictures.decoding import load
from scenes.pictures.on_disk import Rows, beside
from scenes.pictures.reading import ReadingOptions
from scenes.pictures.regions import bands

MOST_LEVELS = 32  # of one file; more are half-tones
AT_ONCE = 1 << 20  # pixels, which become indices of eight bytes


class RegionsError(BlemishError):
    """Regions that cannot be read, or are not those of a picture."""


@dataclass(frozen=True, eq=False)
class Regions:
    """levels: (H, W) uint8 of a picture, 0 where nobody looks; thresholds: of levels that have one of their own."""

    levels: NDArray[np.uint8]
    thresholds: Mapping[int, float] = field(default_factory=dict)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The levels that are looked at, ascending."""
        return tuple(level for level in distinct(self.levels).tolist() if level)

    def described(self, threshold: float | None) -> str:
        """How much of a picture is looked at, and from where on each region has defects; threshold: the inspector's."""
        each = [
            f"region {level}" + ("" if own is None else f" from {own:.4g}")
            for level, own in ((level, self.thresholds.get(level, threshold)) for level in self.numbers)
        ]
        height, width = self.levels.shape
        return f"{(self.levels > 0).mean():.0%} of pictures of {width} x {height} pixels: {', '.join(each)}"

    def only(self, levels: Collection[int]) -> Regions:
        """The regions of these levels alone, without thresholds of their own."""
        return Regions(np.where(np.isin(self.levels, list(levels)), self.levels, np.uint8(0)))

    def with_thresholds(self, thresholds: Mapping[int, float]) -> Regions:
        """With these thresholds in place of any. Raises RegionsError for a level that is no region, or no threshold."""
        for level, threshold in thresholds.items():
            if level not in self.numbers:
                known = ", ".join(map(str, self.numbers))
                raise RegionsError(f"region {level}: there is none of that level; expected one of {known}")
            if not 0 < threshold < np.inf:
                raise RegionsError(f"region {level}: its threshold is {threshold:g}; expected a number above 0")
        return replace(self, thresholds=dict(thresholds))

    def looked_at(self, valid_mask: Rows | None, shape: tuple[int, int], image: Rows | None = None) -> Rows:
        """(H, W) where a picture of this shape is looked at, which shows the surface on `valid_mask`, None: everywhere.

        image: the picture (H, W, 3), beside which the answer lies; None: in memory.
        Raises RegionsError where the picture is of another size.
        """
        if self.levels.shape != shape:
            raise RegionsError(
                f"the picture is {shape[1]} x {shape[0]} pixels, but where to look was drawn on one of "
                f"{self.levels.shape[1]} x {self.levels.shape[0]}; give pictures of that size, or draw it anew"
            )
        seen = beside(self.levels if image is None else image, shape, np.bool_)
        for rows in bands(shape):
            is_within = self.levels[rows] > 0
            seen[rows] = is_within if valid_mask is None else is_within & valid_mask[rows]
        return seen

    def scaled(
        self, anomaly_map: NDArray[np.float32], threshold: float | None, rows: slice = slice(None)
    ) -> NDArray[np.float32]:
        """A map (H, W), 0 where nobody looks, in which regions reach `threshold` where they reach their own.

        threshold: the inspector's; None: no region is scaled. rows: of the picture, which are all of the map.
        """
        levels = self.levels[rows]
        result = np.where(levels > 0, anomaly_map, np.float32(0))
        if threshold is None:
            return result
        for level, own in self.thresholds.items():
            within = levels == level
            reached = within & (anomaly_map >= np.float32(own))
            if threshold > 0:
                np.multiply(result, np.float32(threshold / own), out=result, where=within)
            np.maximum(result, np.float32(threshold), out=result, where=reached)  # rounding moves no pixel across
            below = np.nextafter(np.float32(threshold), np.float32(-np.inf))
            np.minimum(result, below, out=result, where=within & ~reached)
        return result


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Values that occur in an array, ascending: as `np.unique`, which sorts, but for 8 and 16 bits in one pass."""
    if values.dtype not in (np.uint8, np.uint16):
        found: NDArray[Any] = np.unique(values)
        return found
    occurs = np.zeros(np.iinfo(values.dtype).max + 1, bool)
    flat = values.reshape(-1)
    for start in range(0, flat.size, AT_ONCE):
        occurs[flat[start : start + AT_ONCE]] = True
    return np.flatnonzero(occurs)


def read_regions(path: Path, options: ReadingOptions = ReadingOptions()) -> Regions:
    """Regions from a picture: white, or any value but 0, is looked at, and each value is a region of that level.

    Of a picture with a palette the values are its indices, of colours the highest channel. Raises RegionsError for
    half-tones, as a JPEG has them, for values beyond 255, and where nothing is left to look at; PictureError.
    """
    raster = load(path, options.most_pixels)
    values = raster.values if raster.indices is None else raster.indices
    if values.ndim == 3:
        values = reduce(np.maximum, np.moveaxis(values, 2, 0))  # which takes a quarter of the time of max(axis=2)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    found = distinct(values)
    if len(found) > MOST_LEVELS:
        raise RegionsError(
            f"{path}: holds {len(found)} distinct values; expected 0 where nobody looks and a few levels "
            "elsewhere, one a region: save it as PNG, without smoothed borders"
        )
    if not np.isfinite(found).all() or found.min() < 0 or found.max() > 255 or (found != np.floor(found)).any():
        raise RegionsError(
            f"{path}: holds values up to {found.max():g}; expected levels from 0 to 255: save it with 8 bits"
        )
    levels = values.astype(np.uint8)
    if raster.alpha is not None:
        levels = np.where(raster.alpha > 0, levels, np.uint8(0))
    if not levels.any():
        raise RegionsError(
            f"{path}: is black everywhere, so that nothing would be looked at; expected white where to look"
        )
    return Regions(levels)
