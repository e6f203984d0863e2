"""What a defect is like in a few figures, and how far these are from those of the validation set's defects.

A small network would need many more defects to learn that.

Blurred pictures, masks beside the defect, foreign textures and masks of nothing each leave some figure far from what is
usual: sharpness, what goes on at the mask's border, contrast with the surroundings, and whether something stranger lies
outside the mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomaly.weighting.windows import Shown

FIGURES = 9
RING = 4  # pixels round the mask and beyond its border, which are compared with what it marks
LEAST_FAR = 50  # pixels beyond the ring, to be compared at all
SMOOTH = 0.7  # pixels, before slopes are taken
LEAST_SPREAD = 0.05  # of a figure, a logarithm
MOST = 10.0  # spreads from what is usual

Values = NDArray[np.float64]
Pixels = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class References:
    """What is usual in a set. mean, deviation: (1, D, 1, 1) of its features; usual, spread: (FIGURES,), robust ones."""

    mean: Tensor
    deviation: Tensor
    usual: Values
    spread: Values

    @classmethod
    def of(cls, shown: Shown) -> References:
        """Those of windows round defects."""
        mean = shown.features.mean(dim=(0, 2, 3), keepdim=True)
        deviation = shown.features.std(dim=(0, 2, 3), keepdim=True).clamp(min=1e-6)
        found = figures(shown, mean, deviation)
        usual = np.median(found, axis=0)
        return cls(mean, deviation, usual, np.maximum(1.4826 * np.median(np.abs(found - usual), axis=0), LEAST_SPREAD))

    def strangeness(self, shown: Shown) -> Tensor:
        """(N, FIGURES): by how many spreads each figure of windows is off what is usual, MOST at most."""
        off = np.abs(figures(shown, self.mean, self.deviation) - self.usual) / self.spread
        return torch.from_numpy(np.minimum(off, MOST)).float()


def figures(shown: Shown, mean: Tensor, deviation: Tensor) -> Values:
    """(N, FIGURES) of windows. mean, deviation: (1, D, 1, 1), which features are measured in."""
    features = ((shown.features - mean) / deviation).numpy()
    found = [
        [*_of_pixels(picture, filled, mask[0] > 0), _of_patches(patches, truth[0])]
        for picture, filled, mask, patches, truth in zip(
            shown.pictures.numpy(),
            shown.filled.numpy(),
            shown.masks.numpy(),
            features,
            shown.truth.numpy(),
            strict=True,
        )
    ]
    return np.array(found, dtype=np.float64).reshape(-1, FIGURES)


def _of_pixels(picture: Pixels, filled: Pixels, mask: Mask) -> list[float]:
    """Of a window (3, S, S) from 0 to 1, what it would show without the defect, and its mask (S, S)."""
    grey = 255 * picture.mean(axis=0)
    near, wide = _grown(mask, 1), _grown(mask, RING)
    beyond = ~wide if int((~wide).sum()) > LEAST_FAR else ~near
    beyond = beyond if beyond.any() else np.ones_like(mask)
    ring = wide & ~near if (wide & ~near).any() else beyond
    inside = mask if mask.any() else near | True
    border = near & ~_shrunk(mask)
    border = border if border.any() else inside
    rough = np.abs(cv2.Laplacian(grey, cv2.CV_32F, ksize=1))
    smooth = cv2.GaussianBlur(grey, (0, 0), SMOOTH)
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    changed = 255 * np.sqrt(((picture - filled) ** 2)[:, inside].mean())
    noise = grey[beyond].std() + 1.0
    return [
        _log(rough[beyond].mean(), 0.1),
        _log(rough[inside].mean(), 0.1),
        _log(rough[inside].mean(), 0.1) - _log(rough[ring].mean(), 0.1),
        _log(slope[border].mean(), 0.5) - _log(slope[beyond].mean(), 0.5),
        _log(slope[border].mean(), 0.5) - _log(slope[ring].mean(), 0.5),
        _log(np.abs(grey[inside].mean() - grey[ring].mean()) / noise, 0.02),
        _log(changed / noise, 0.02),
        _log(grey[inside].std(), 1.0) - _log(grey[ring].std(), 1.0),
    ]


def _of_patches(features: Pixels, truth: Pixels) -> float:
    """How much stranger the strangest patch that is marked is than the strangest that is not.

    features: (D, h, w); truth: (h, w), shares that are marked.
    """
    strange = np.abs(features - np.median(features, axis=(1, 2), keepdims=True)).mean(axis=0)
    marked, around = truth > 0, _grown(truth > 0, 1)
    inside = strange[marked] if marked.any() else strange
    outside = strange[~around] if not around.all() else strange
    return _log(inside.max(), 0.0) - _log(outside.max(), 0.0)


def _grown(mask: Mask, pixels: int) -> Mask:
    grown: Mask = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=pixels) > 0
    return grown


def _shrunk(mask: Mask) -> Mask:
    shrunk: Mask = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return shrunk


def _log(value: float, floor: float) -> float:
    return float(np.log(value + max(floor, 1e-6)))
