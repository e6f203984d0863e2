"""Windows round the defects of pictures, and what they would show without: what estimator and detector see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from anomaly.backbone.normalisation import standardised
from anomaly.backbone.patch_extractor import PatchExtractor
from scenes.formats.sample import GOOD, Sample

SIDE = 64  # pixels of a window; defects that would not fit are seen from farther away
FILLED = 0.75  # of a window's side, at most, by its defect
DEFECTS = 3  # a picture's largest
TRIES = 20  # at a window without a defect
COVERED = 0.25  # of a pixel by the defect, for it to be of the mask
INPAINTING = 3.0  # pixels
ENLARGED = 2  # times which windows are enlarged for the backbone, whose patches are coarse
BATCH = 32

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Window:
    """image: (S, S, 3); mask: (S, S); filled: (S, S, 3), the image with what the mask marks painted over."""

    image: Image
    mask: Mask
    filled: Image


@dataclass(frozen=True, eq=False)
class Shown:
    """Windows as networks see them. pictures, filled: (N, 3, S, S) from 0 to 1. masks: (N, 1, S, S).

    features: (N, D, h, w) of the backbone; truth: (N, 1, h, w), shares of its patches.
    """

    pictures: Tensor
    filled: Tensor
    masks: Tensor
    features: Tensor
    truth: Tensor

    def __len__(self) -> int:
        return len(self.pictures)


def windows_of(sample: Sample) -> list[Window]:
    """Those of the largest defects of a sample; none of a good one. Raises PictureError, SampleError."""
    if sample.label == GOOD:
        return []
    masks = defect_masks(sample)
    if not masks:
        return []
    image, defect = sample.image(), sample.truth().defect
    return [_window(image, defect, *_square(mask)) for mask in masks]


def defect_masks(sample: Sample) -> list[Mask]:
    """(H, W) of each of the largest defects of a sample; of all in one where they are not told apart."""
    truth = sample.truth()
    masks = [instance.mask for instance in truth.instances if instance.family == "defect"]
    masks = sorted((mask for mask in masks if mask.any()), key=lambda mask: -int(mask.sum()))[:DEFECTS]
    return masks or ([truth.defect] if truth.defect.any() else [])


def window_round(sample: Sample, mask: Mask) -> Window:
    """That of one defect of a sample."""
    return _window(sample.image(), sample.truth().defect, *_square(mask))


def background_of(sample: Sample, random: np.random.Generator) -> Window:
    """A window of a sample that shows no defect; where none is found, one whose defects are painted over."""
    image, defect = sample.image(), sample.truth().defect
    for _ in range(TRIES):
        top, left = (int(random.integers(max(1, side - SIDE + 1))) for side in defect.shape)
        if not defect[top : top + SIDE, left : left + SIDE].any():
            return _window(image, defect, top, left, SIDE)
    there = _window(image, defect, 0, 0, SIDE)
    return Window(there.filled, np.zeros_like(there.mask), there.filled)


def shown(
    windows: Sequence[Window], extractor: PatchExtractor, on_batch: Callable[[int], None], device: str = "cpu"
) -> Shown:
    """Windows and their features. on_batch: told how many are done. device: where the extractor is."""
    pictures, filled = (_stacked([getattr(each, name) for each in windows]) for name in ("image", "filled"))
    masks = torch.from_numpy(np.stack([each.mask for each in windows]))[:, None].float()
    features = []
    with torch.no_grad():
        for start in range(0, len(windows), BATCH):
            enlarged = functional.interpolate(
                pictures[start : start + BATCH], scale_factor=float(ENLARGED), mode="bilinear", align_corners=False
            )
            features.append(extractor(standardised(enlarged).to(device)).float().cpu())
            on_batch(min(len(windows), start + BATCH))
    found = torch.cat(features)
    return Shown(
        pictures, filled, masks, found, functional.adaptive_avg_pool2d(masks, (found.shape[-2], found.shape[-1]))
    )


def _stacked(images: Sequence[Image]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def _square(mask: Mask) -> tuple[int, int, int]:
    """Top, left and side of the square round what a mask marks."""
    (top, bottom), (left, right) = (
        (int(there[0]), int(there[-1]) + 1) for there in (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    )
    side = max(SIDE, round(max(bottom - top, right - left) / FILLED))
    return (top + bottom - side) // 2, (left + right - side) // 2, side


def _window(image: Image, defect: Mask, top: int, left: int, side: int) -> Window:
    """Of SIDE pixels, of a square that is moved into the picture as far as it fits; mirrored beyond."""
    starts = [min(max(start, 0), max(0, whole - side)) for start, whole in zip((top, left), defect.shape, strict=True)]
    place = tuple(slice(start, start + side) for start in starts)
    cut, marked = image[place], defect[place]
    growth = [(0, side - length) for length in marked.shape]
    if any(after for _, after in growth):
        cut, marked = np.pad(cut, [*growth, (0, 0)], mode="symmetric"), np.pad(marked, growth, mode="symmetric")
    if side != SIDE:
        cut = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        marked = cv2.resize(marked.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA) >= COVERED
    cut = np.ascontiguousarray(cut)
    over = cv2.dilate(marked.astype(np.uint8), np.ones((3, 3), np.uint8))
    filled = cv2.inpaint(cut, over, INPAINTING, cv2.INPAINT_TELEA) if over.any() else cut
    return Window(cut, marked, filled)
