"""A frame's pixels as colours, and a change of colours as pixels; without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def colour(pixels: Pixels) -> NDArray[np.float64]:
    """(H, W, 3) in [0, 1] of a frame's pixels."""
    array = pixels / np.iinfo(pixels.dtype).max
    return array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2)


def composited(pixels: Pixels, change: NDArray[np.floating[Any]], share: NDArray[np.floating[Any]]) -> Pixels:
    """Pixels (H, W[, 3]) with a share (H, W) of a change (H, W, 3) added; where it is 0 they are as they were."""
    most = np.iinfo(pixels.dtype).max
    wanted = share[..., None] * change * most
    if pixels.ndim == 2:
        wanted = wanted.mean(axis=2)
    result = pixels.copy()
    there = share > 0
    result[there] = np.clip(np.rint(pixels[there] + wanted[there]), 0, most).astype(pixels.dtype)
    return result


def pasted(onto: Pixels, pixels: Pixels, where: NDArray[np.bool_]) -> Pixels:
    """The first pixels (H, W[, 3]) with the second ones where a mask (H, W) says."""
    return np.where(where if onto.ndim == 2 else where[..., None], pixels, onto)
