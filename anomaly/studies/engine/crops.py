"""Crops of labelled pictures: decoded once, scaled, cut anywhere or round a defect, and stacked into batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomaly.studies.engine.labelled import LabelledPicture

MEMORY = 1 << 30  # bytes of decoded pictures that are kept
T = TypeVar("T")
Pixels = NDArray[np.uint8]


class DecodedPictures(Generic[T]):
    """Pictures by their place: pixels (H, W, 3) with what is known of them, kept while there is room."""

    def __init__(
        self,
        pictures: Sequence[LabelledPicture],
        decode: Callable[[LabelledPicture], tuple[Pixels, T]],
        memory: int = MEMORY,
    ) -> None:
        self._pictures, self._decode, self._room = pictures, decode, memory
        self._kept: OrderedDict[int, tuple[Pixels, T]] = OrderedDict()

    def __getitem__(self, place: int) -> tuple[Pixels, T]:
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        decoded = self._kept[place] = self._decode(self._pictures[place])
        self._room -= 2 * decoded[0].nbytes  # the pixels, and a map of their size at most
        while self._room < 0 and len(self._kept) > 1:
            self._room += 2 * self._kept.popitem(last=False)[1][0].nbytes
        return decoded


def generator_of(generator: torch.Generator) -> np.random.Generator:
    """NumPy's generator for what torch's draws next."""
    return np.random.default_rng(int(torch.randint(0, 1 << 62, (1,), generator=generator)))


def scaled(image: Pixels, scale: float) -> Pixels:
    """A picture (H, W, 3) with `scale` pixels for each of its own; averaged where it becomes smaller."""
    if scale == 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def window(
    shape: Sequence[int], size: int, rng: np.random.Generator, around: tuple[int, int] | None = None
) -> tuple[int, int]:
    """Row and column of the first corner of a window of `size` pixels a side: anywhere, or anywhere round a pixel.

    A picture smaller than the window lies at its first corner.
    """
    corner = []
    for side, pixel in zip(shape[:2], around or (None, None), strict=True):
        low, high = 0, max(0, side - size)
        if pixel is not None:
            low, high = min(high, max(low, pixel - size + 1)), min(high, pixel)
        corner.append(int(rng.integers(low, high + 1)))
    return corner[0], corner[1]


def cut(array: NDArray[Any], corner: tuple[int, int], size: int, fill: int | None = None) -> NDArray[Any]:
    """A window of an array (H, W, …); what lies beyond the array is `fill`, by default the nearest of its pixels."""
    row, column = corner
    part = array[row : row + size, column : column + size]
    missing = ((0, size - part.shape[0]), (0, size - part.shape[1]), *((0, 0),) * (array.ndim - 2))
    if not missing[0][1] and not missing[1][1]:
        return part
    return np.pad(part, missing, mode="edge") if fill is None else np.pad(part, missing, constant_values=fill)


def whole(image: Pixels, multiple: int) -> Pixels:
    """A picture whose sides are multiples of a number, continued by its last pixels."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="edge")


def as_batch(images: Sequence[Pixels], device: str) -> Tensor:
    """Pictures (H, W, 3) of one size as (B, 3, H, W), values -1 to 1: as EfficientNet-Lite0's weights know them."""
    stacked = torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2)
    return (stacked.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
