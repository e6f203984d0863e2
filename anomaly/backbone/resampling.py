"""Pictures scaled bilinearly with antialiasing: each new pixel weighs those around it by a triangle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def resampling(length: int, scaled: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(scaled, K) places and weights by which torch interpolates, the triangles cut at the ends.

    Where a triangle has fewer than K places the rest weighs nothing.
    """
    ratio = length / scaled
    reach = max(1.0, ratio)
    centres = (np.arange(scaled) + 0.5) * ratio
    first = np.maximum(np.floor(centres - reach + 0.5), 0).astype(np.int64)
    places = first[:, None] + np.arange(int(np.ceil(2 * reach)) + 1)
    weights = np.maximum(0, 1 - np.abs(places + 0.5 - centres[:, None]) / reach) * (places < length)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.minimum(places, length - 1), weights.astype(np.float32)


def antialiased(images: Tensor, size: Sequence[int]) -> Tensor:
    """Images (B, C, H, W) scaled to that height and width, computed in float32.

    In an exported model term by term, since OpenVINO leaves antialiasing out.
    """
    values = images.float()
    if torch.compiler.is_exporting():
        for axis, scaled in ((2, size[0]), (3, size[1])):
            values = _along(values, axis, *resampling(int(values.shape[axis]), int(scaled)))
    else:
        values = functional.interpolate(values, tuple(size), mode="bilinear", align_corners=False, antialias=True)
    return values.to(images.dtype)


def _along(values: Tensor, axis: int, places: NDArray[np.int64], weights: NDArray[np.float32]) -> Tensor:
    shape = [1] * values.ndim
    shape[axis] = len(places)
    total = torch.zeros((), dtype=values.dtype)
    for place, weight in zip(places.T, weights.T, strict=True):
        chosen = values.index_select(axis, torch.from_numpy(place.copy()))
        total = total + chosen * torch.from_numpy(weight.copy()).view(shape)
    return total
