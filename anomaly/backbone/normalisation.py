"""Pictures as networks expect them, and grids of features as rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from scenes.pictures.on_disk import Rows

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
BAND = 256  # rows of a picture that are made floats at once where it is scaled


def normalised(image: Rows, scale: float = 1.0) -> Tensor:
    """(1, 3, h, w) float32, ImageNet-normalised, of an RGB image (H, W, 3) scaled by `scale` with antialiasing."""
    if scale == 1:
        return standardised(_channels(image[:]))
    return standardised(_scaled(image, [max(1, round(side * scale)) for side in image.shape[:2]]))


def _channels(image: NDArray[np.uint8]) -> Tensor:
    """(1, 3, H, W) float32, 0 to 1, of an RGB image (H, W, 3)."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float().div_(255)


def _scaled(image: Rows, size: Sequence[int]) -> Tensor:
    """(1, 3, h, w) 0 to 1, of that height and width, bit for bit as torch scales the whole: across first, then down.

    So a picture that is much reduced is never all floats at once, which take four times its bytes.
    """
    height = image.shape[0]
    narrow = torch.empty(1, 3, height, size[1])
    for top in range(0, height, BAND):
        band = image[top : top + BAND]
        narrow[:, :, top : top + BAND] = _interpolated(_channels(band), (len(band), size[1]))
    return _interpolated(narrow, size)


def _interpolated(images: Tensor, size: Sequence[int]) -> Tensor:
    return functional.interpolate(images, tuple(size), mode="bilinear", antialias=True, align_corners=False)


def standardised(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) of values 0 to 1, ImageNet-normalised."""
    mean, deviation = (images.new_tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    return (images - mean) / deviation


def patches(features: Tensor) -> Tensor:
    """(B·h·w, D) of features (B, D, h, w): image by image, row by row."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


class OwnNormalisation:
    """The mean and deviation of pictures that a network was trained with, in place of ImageNet's."""

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        self.mean, self.deviation = tuple(mean), tuple(deviation)
        self.is_imagenet = all(
            torch.equal(torch.tensor(own), torch.tensor(imagenet))  # in single precision, as they travel
            for own, imagenet in ((self.mean, IMAGENET_MEAN), (self.deviation, IMAGENET_DEVIATION))
        )

    def tensors(self) -> dict[str, Tensor]:
        """What travels with the weights: nothing where it is ImageNet's."""
        if self.is_imagenet:
            return {}
        return {"input.mean": torch.tensor(self.mean), "input.deviation": torch.tensor(self.deviation)}

    @classmethod
    def taken_from(cls, tensors: dict[str, Tensor]) -> OwnNormalisation:
        """That of weights, from which it is removed; ImageNet's where they hold none."""
        mean, deviation = tensors.pop("input.mean", None), tensors.pop("input.deviation", None)
        if mean is None or deviation is None:
            return cls(IMAGENET_MEAN, IMAGENET_DEVIATION)
        return cls(mean.tolist(), deviation.tolist())

    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), ImageNet-normalised, as the network knows them."""
        if self.is_imagenet:
            return images
        their_mean, their_deviation, mean, deviation = (
            images.new_tensor(values)[:, None, None]
            for values in (IMAGENET_MEAN, IMAGENET_DEVIATION, self.mean, self.deviation)
        )
        return (images * their_deviation + their_mean - mean) / deviation
