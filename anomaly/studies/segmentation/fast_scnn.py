"""Fast-SCNN for semantic segmentation, [Poudel 2019]: two branches that share their first layers.

The layers are those of the paper's Table 1: learning to downsample, the global feature extractor of the bottlenecks of
Table 2, the fusion of Table 3 and the classifier.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

DOWNSAMPLED = (32, 48, 64)  # channels at strides 2, 4 and 8
BOTTLENECKS = ((64, 2), (96, 2), (128, 1))  # channels and stride of the first of three each
EXPANSION = 6
FUSED = 128
BINS = (1, 2, 3, 6)  # of the pyramid pooling; [Zhao 2017]


def convolution(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, *, rectify: bool = True
) -> list[nn.Module]:
    """A convolution, its normalisation and, unless told otherwise, a rectifier."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs), *([nn.ReLU()] if rectify else [])]


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A convolution channel by channel and one across channels; no rectifier between them, section 3.2.1."""
    return nn.Sequential(
        *convolution(inputs, inputs, 3, stride, inputs, rectify=False), *convolution(inputs, outputs, 1)
    )


class Bottleneck(nn.Module):
    """An inverted residual, Table 2; what comes in is added where it has the shape of what goes out."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        wide = EXPANSION * inputs
        self.layers = nn.Sequential(
            *convolution(inputs, wide, 1),
            *convolution(wide, wide, 3, stride, wide),
            *convolution(wide, outputs, 1, rectify=False),
        )
        self.is_residual = inputs == outputs and stride == 1

    def forward(self, features: Tensor) -> Tensor:
        deep: Tensor = self.layers(features)
        return features + deep if self.is_residual else deep


class PyramidPooling(nn.Module):
    """Means over ever finer grids beside the features themselves; [Zhao 2017]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # No normalisation: over the one cell of a batch of one picture it would not be defined.
        self.levels = nn.ModuleList(nn.Conv2d(channels, channels // len(BINS), 1) for _ in BINS)
        self.last = nn.Sequential(*convolution(2 * channels, channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        pooled = (
            functional.relu(level(functional.adaptive_avg_pool2d(features, bins)))
            for bins, level in zip(BINS, self.levels, strict=True)
        )
        joined: Tensor = self.last(torch.cat([features, *(_resized(each, features) for each in pooled)], dim=1))
        return joined


class FastSCNN(nn.Module):
    """Images (B, 3, H, W), sides multiples of 32, to logits (B, classes, H, W)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        first, second, third = DOWNSAMPLED
        self.downsample = nn.Sequential(
            *convolution(3, first, stride=2), separable(first, second, 2), separable(second, third, 2)
        )
        bottlenecks, channels = [], third
        for outputs, stride in BOTTLENECKS:
            bottlenecks += [Bottleneck(channels, outputs, stride)]
            bottlenecks += [Bottleneck(outputs, outputs, 1) for _ in range(2)]
            channels = outputs
        self.features = nn.Sequential(*bottlenecks, PyramidPooling(channels))
        self.fuse_fine = nn.Sequential(*convolution(third, FUSED, 1, rectify=False))
        self.fuse_coarse = nn.Sequential(
            *convolution(channels, FUSED, groups=FUSED), *convolution(FUSED, FUSED, 1, rectify=False)
        )
        self.classifier = nn.Sequential(
            separable(FUSED, FUSED), separable(FUSED, FUSED), nn.Dropout(0.1), nn.Conv2d(FUSED, classes, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        fine = self.downsample(images)
        coarse = _resized(self.features(fine), fine)
        logits = self.classifier(functional.relu(self.fuse_fine(fine) + self.fuse_coarse(coarse)))
        return _resized(logits, images)


def _resized(features: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(features, like.shape[-2:], mode="bilinear", align_corners=False)
