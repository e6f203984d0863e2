"""Hand-crafted patch features to compare a learnt backbone with: derivatives of Gaussians, averaged over patches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from anomaly.backbone.normalisation import IMAGENET_DEVIATION, IMAGENET_MEAN
from anomaly.backbone.patch_extractor import FILTERS, BackboneError

SCALES = (1.0, 2.0, 4.0)  # pixels
STRIDE = 8


class DerivativeFilters(nn.Module):
    """Images (B, 3, H, W), ImageNet-normalised, to (B, D, ⌈H/8⌉, ⌈W/8⌉): brightness and derivatives to second order.

    Per scale: the smoothed brightness, and of the scale-normalised ∂x, ∂y, ∂xx, ∂yy, ∂xy (Lindeberg) the mean magnitude
    and the largest positive and negative values in a patch of 16 pixels.
    """

    def __init__(
        self, backbone: str = FILTERS, *, pretrained: bool = False, weights: Path | str | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        del seed  # nothing is drawn
        if pretrained or weights is not None:
            raise BackboneError(f"the backbone {backbone} has no weights to load; leave out --pretrained and --weights")
        self.backbone, self.weights, self.pretrained = backbone, "hand-crafted derivatives of Gaussians", False
        self.strides: tuple[int, ...] = (STRIDE,)
        self.channels = len(SCALES) * (1 + 5 * 3)

    def weight_tensors(self) -> dict[str, Tensor]:
        """None: all is in the code."""
        return {}

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Nothing to take over; raises ValueError for weights."""
        if tensors:
            raise ValueError(f"the backbone {self.backbone} has no weights, {len(tensors)} tensors given")

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        mean, deviation = (images.new_tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_DEVIATION))
        grey = (images * deviation + mean).mean(dim=1, keepdim=True)
        height, width = grey.shape[-2:]
        maps = []
        for scale in SCALES:
            zeroth, first, second = _kernels(scale, grey)
            pairs = ((first, zeroth), (zeroth, first), (second, zeroth), (zeroth, second), (first, first))
            responses = torch.cat([_separable(grey, across, down) for across, down in pairs], dim=1)
            border = (0, STRIDE + -width % STRIDE, 0, STRIDE + -height % STRIDE)
            padded = functional.pad(responses, border, mode="replicate")
            maps += [
                functional.avg_pool2d(padded.abs(), 2 * STRIDE, STRIDE),
                functional.max_pool2d(padded, 2 * STRIDE, STRIDE),
                functional.max_pool2d(-padded, 2 * STRIDE, STRIDE),
            ]
            smooth = functional.pad(_separable(grey, zeroth, zeroth), border, mode="replicate")
            maps.append(functional.avg_pool2d(smooth, 2 * STRIDE, STRIDE))
        return torch.cat(maps, dim=1)


def _kernels(scale: float, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    radius = math.ceil(4 * scale)
    x = torch.arange(-radius, radius + 1, dtype=like.dtype, device=like.device) / scale
    zeroth = torch.exp(-(x**2) / 2)
    zeroth = zeroth / zeroth.sum()
    return zeroth, -x * zeroth, (x**2 - 1) * zeroth


def _separable(image: Tensor, across: Tensor, down: Tensor) -> Tensor:
    radius = len(across) // 2
    padded = functional.pad(image, (radius,) * 4, mode="replicate")
    # A convolution turns its kernel round; torch's correlation does not.
    rows = functional.conv2d(padded, across.flip(0)[None, None, None])
    return functional.conv2d(rows, down.flip(0)[None, None, :, None])
