"""Boxes: where defects are to be drawn or lie, and the squares round them that the models see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILLED = 0.75  # of a window's side, at most, by a box; a larger one is seen from farther away
DIGITS = 3  # of pixels, in records


@dataclass(frozen=True)
class Box:
    """A defect's class, and where it lies: centre, height and width in pixels of its picture."""

    class_name: str
    row: float
    column: float
    height: float
    width: float

    def written(self) -> dict[str, Any]:
        """As JSON: left, top, width and height, as COCO has boxes."""
        sides = self.column - self.width / 2, self.row - self.height / 2, self.width, self.height
        return {"class": self.class_name, "box": [round(side, DIGITS) for side in sides]}


@dataclass(frozen=True)
class Square:
    """A square of a picture; it may be larger than that, whose rims are then mirrored."""

    top: int
    left: int
    side: int


def box_of(mask: NDArray[np.bool_], class_name: str) -> Box:
    """The box of what a mask (H, W) marks, pixels taken as squares."""
    (top, bottom), (left, right) = (
        (int(found[0]), int(found[-1]) + 1) for found in (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    )
    return Box(class_name, (top + bottom) / 2, (left + right) / 2, bottom - top, right - left)


def zoom_of(box: Box, side: int) -> float:
    """How many pixels of the picture one of a window of so many a side is: 1, but for boxes that would not fit."""
    return max(1.0, max(box.height, box.width) / (FILLED * side))


def around(box: Box, side: int, shape: Sequence[int]) -> Square:
    """The square of so many pixels round a box, moved into the picture (H, W) as far as it fits."""
    starts = []
    for centre, length in zip((box.row, box.column), shape[:2], strict=True):
        start = math.floor(centre - side / 2 + 0.5)
        starts.append(min(max(start, 0), max(0, length - side)))
    return Square(starts[0], starts[1], side)


def cut(pixels: NDArray[Any], square: Square) -> NDArray[Any]:
    """(side, side, …) of pixels (H, W, …); what lies outside mirrors what is there, as often as it takes."""
    part = pixels[square.top : square.top + square.side, square.left : square.left + square.side]
    growth = [(0, square.side - part.shape[axis]) for axis in (0, 1)] + [(0, 0)] * (pixels.ndim - 2)
    return np.pad(part, growth, mode="symmetric") if any(after for _, after in growth) else part
