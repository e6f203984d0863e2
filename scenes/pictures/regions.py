"""Connected regions of masks, band by band where pictures are large."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from scenes.pictures.on_disk import ByRows, row_bands

BAND = 1 << 19  # pixels of a picture of which numbers are kept at once
EIGHT_CONNECTED = np.ones((3, 3), np.bool_)


def numbered_regions(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(H, W): the number, from 1, of the 8-connected region of the mask (H, W) that a pixel is in; 0 outside.

    They are numbered in the order of their first pixels, row by row.
    """
    from scipy.ndimage import label

    regions = np.zeros(mask.shape, np.int32)
    if mask.any():
        label(mask, EIGHT_CONNECTED, output=regions)
    return regions


def bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of a picture (H, W, …), about BAND pixels together."""
    return row_bands(shape, BAND)


class BandedRegions:
    """The 8-connected regions of a mask (H, W), numbered from 1, of which one band's numbers are in memory at a time.

    They are numbered as `numbered_regions` does. sizes: (1 + regions,) pixels of each, sizes[0] of none.
    """

    def __init__(self, mask: ByRows) -> None:
        self._mask = mask
        self.bands = tuple(bands(mask.shape))
        counts = [np.zeros(1, np.int64)]
        self._first = {0: 0}  # by a band's first row: how many regions the bands before it have
        pairs: list[NDArray[np.int64]] = []
        above: NDArray[np.int64] | None = None
        for rows in self.bands:
            first = self._first[rows.start]
            numbers = numbered_regions(mask[rows])
            counts.append(np.bincount(numbers.ravel())[1:])
            self._first[rows.stop] = first + len(counts[-1])
            edges = [np.where(row > 0, row + np.int64(first), 0) for row in (numbers[0], numbers[-1])]
            if above is not None:
                pairs.extend(_touching(above, edges[0]))
            above = edges[1]
        if len(self.bands) == 1:
            self._only = numbers
        self._joined = _joined(self._first[mask.shape[0]] if self.bands else 0, pairs)
        self.sizes = np.bincount(self._joined, np.concatenate(counts)).astype(np.int64)

    def pieces(self, rows: slice) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Of one of the bands, the numbers (h, W) of the parts of regions that are connected within it, from 1.

        And (1 + parts,) the number of the region of each.
        """
        first, beyond = self._first[rows.start], self._first[rows.stop]
        numbers = self._only if len(self.bands) == 1 else numbered_regions(self._mask[rows])
        return numbers, np.concatenate([[0], self._joined[first + 1 : beyond + 1]])

    def numbers(self, rows: slice) -> NDArray[np.int64]:
        """(h, W) of one of the bands."""
        numbers, regions = self.pieces(rows)
        found: NDArray[np.int64] = regions[numbers]
        return found


def _touching(above: NDArray[np.int64], below: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """(N, 2) pairs of numbers of two neighbouring rows that touch, straight or at a corner."""
    for one, other in ((above, below), (above[1:], below[:-1]), (above[:-1], below[1:])):
        both = (one > 0) & (other > 0)
        yield np.stack([one[both], other[both]], axis=1)


def _joined(count: int, pairs: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """(1 + count,) new numbers, in the same order, of regions of which those of a pair are one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not pairs:
        return np.arange(count + 1)
    one, other = np.concatenate(pairs).T
    graph = coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(count + 1, count + 1))
    _, first, numbers = np.unique(
        connected_components(graph, directed=False)[1], return_index=True, return_inverse=True
    )
    joined: NDArray[np.int64] = np.argsort(np.argsort(first))[numbers]
    return joined
