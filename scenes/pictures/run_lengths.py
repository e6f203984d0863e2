"""Masks as COCO's run lengths: how many pixels are unmarked, then marked, and so on, column after column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BITS = 35  # of a number: as many as seven characters hold; pictures have fewer pixels


class RunLengthError(ValueError):
    """Run lengths that are none, or of another picture."""


def encoded(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """A mask (H, W) as COCO's compressed run lengths, JSON values."""
    from pycocotools import mask as run_length

    found = run_length.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(found["size"]), "counts": found["counts"].decode("ascii")}


def decoded(written: object, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask (H, W) of run lengths, compressed to a string or not. Raises RunLengthError.

    Not by pycocotools, whose C reads and writes past its memory where they are made to harm.
    """
    size, counts = (written.get("size"), written.get("counts")) if isinstance(written, dict) else (None, None)
    if size != list(shape):
        raise RunLengthError(
            f"found a size of {size!r:.60}; expected {list(shape)}, the height and width of its picture"
        )
    if isinstance(counts, str):
        counts = decompressed(counts)
    if not isinstance(counts, list) or not all(type(count) is int and count >= 0 for count in counts):
        raise RunLengthError("found counts that are neither a string nor numbers from 0 on")
    height, width = shape
    if sum(counts) != height * width:
        raise RunLengthError(f"found counts of {sum(counts)} pixels; expected {height * width}, all of its picture")
    marked = np.arange(len(counts)) % 2 == 1
    return np.repeat(marked, counts).reshape(width, height).T


def decompressed(counts: str) -> list[int]:
    """The numbers of a compressed string: five bits a character, differences from the second before [Lin 2014]."""
    numbers: list[int] = []
    value = bits = 0
    for character in counts:
        piece = ord(character) - 48
        if not 0 <= piece < 64 or bits >= MOST_BITS:
            raise RunLengthError("found counts with characters that compressed run lengths do not have")
        value |= (piece & 31) << bits
        bits += 5
        if not piece & 32:
            if piece & 16:
                value -= 1 << bits
            numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
            value = bits = 0
    if bits:
        raise RunLengthError("found counts that are cut off")
    return numbers


def coco_fields(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """What a COCO annotation says of where its mask is, JSON values."""
    return {
        "bbox": [float(edge) for edge in box_of(mask)],
        "area": int(np.count_nonzero(mask)),
        "iscrowd": 0,
        "segmentation": encoded(mask),
    }


def box_of(mask: NDArray[np.bool_]) -> Sequence[int]:
    """Left, top, width and height of what a mask marks, pixels; all 0 where that is nothing."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return (0, 0, 0, 0)
    left, top = int(columns[0]), int(rows[0])
    return (left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1)
