"""Sheets of what was changed: cuttings around defects before, after, and their differences, beside a dataset."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusion_refine.metrics.difference import Comparison, comparison_sheet
from scenes.datasets.files import write_atomically
from scenes.datasets.reader import Frame

LEAST_SIDE, ROOM = 96, 1.6  # of a cutting: pixels, and its side over that of what it shows
HEIGHT = 288  # of a picture on the sheet


def evenly(count: int, lines: int) -> list[int]:
    """Places of at most so many of `count` things, evenly chosen."""
    places: list[int] = np.unique(np.linspace(0, count - 1, lines).round().astype(int)).tolist()
    return places


def write_beside(path: Path, comparisons: Sequence[Comparison]) -> Path:
    """Write a sheet of comparisons, whole or not at all, and give its path."""
    content = io.BytesIO()
    Image.fromarray(comparison_sheet(comparisons, HEIGHT)).save(content, format="png")
    write_atomically(path, content.getvalue())
    return path


def cutting(frame: Frame, changed: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of a square around the largest defect that changed; of the whole frame where none did."""
    ids = frame.defects[changed & (frame.defects > 0)]
    if not ids.size:
        return slice(None), slice(None)
    there = frame.defects == np.bincount(ids).argmax()
    spans = []
    boxes = [np.flatnonzero(there.any(axis=axis)) for axis in (1, 0)]
    side = max(LEAST_SIDE, int(ROOM * max(np.ptp(box) + 1 for box in boxes)))
    for box, length in zip(boxes, there.shape, strict=True):
        start = int(np.clip((box[0] + box[-1] + 1 - side) // 2, 0, max(0, length - side)))
        spans.append(slice(start, min(length, start + side)))
    return spans[0], spans[1]
