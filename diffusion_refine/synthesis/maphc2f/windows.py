"""Windows of a picture round a mask, mirrored at the picture's border, with sides that the transform takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.synthesis.generator import Mask
from diffusion_refine.synthesis.maphc2f.wavelets import BLOCK

Array = TypeVar("Array", bound=NDArray[Any])


@dataclass(frozen=True)
class Window:
    """Rows and columns from `top`, `left` on; it may reach beyond the picture."""

    top: int
    left: int
    rows: int
    columns: int

    def cut(self, array: Array) -> Array:
        """(rows, columns, …) of an array (H, W, …); beyond its border it goes on mirrored."""
        rows = _mirrored(self.top, self.rows, array.shape[0])
        columns = _mirrored(self.left, self.columns, array.shape[1])
        found: Array = array[rows[:, None], columns]
        return found

    def inside(self, shape: Sequence[int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part that lies in a picture (H, W): where in the picture, and where in the window."""
        spans = [
            slice(max(0, start), min(whole, start + own))
            for start, own, whole in zip((self.top, self.left), (self.rows, self.columns), shape[:2], strict=True)
        ]
        own = [slice(span.start - start, span.stop - start) for span, start in zip(spans, self._starts, strict=True)]
        return (spans[0], spans[1]), (own[0], own[1])

    @property
    def _starts(self) -> tuple[int, int]:
        return self.top, self.left


def window_around(box: tuple[slice, slice], margin: int) -> Window:
    """That which shows the rows and columns of a box, and at least so many pixels round it."""
    (top, rows), (left, columns) = (
        (span.start - margin, span.stop - span.start + 2 * margin + (span.start - span.stop - 2 * margin) % BLOCK)
        for span in box
    )
    return Window(top, left, rows, columns)


def window_of(mask: Mask, margin: int) -> Window:
    """That which shows what a mask (H, W) marks, and at least so many pixels round it."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return window_around(box, margin)


def _mirrored(start: int, count: int, length: int) -> NDArray[np.intp]:
    places = np.arange(start, start + count) % (2 * length)
    return np.where(places < length, places, 2 * length - 1 - places)
