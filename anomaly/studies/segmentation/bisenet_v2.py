"""BiSeNet V2 for segmentation, [Yu 2021]: a wide, shallow branch for detail and a deep, narrow one for meaning.

The layers are those of the paper's Table 1, the stem and the context embedding of its Figure 4, the gather-and-expand
layers of Figure 5, the aggregation of Figure 6 and the heads of Figure 7.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

DETAIL = (64, 64, 128)  # channels of the stages of the detail branch, at strides 2, 4 and 8
SEMANTIC = (16, 32, 64, 128)  # of the semantic branch, at strides 4, 8, 16 and 32
EXPANSION = 6  # of a gather-and-expand layer
HEAD, BOOSTER = 1024, 128  # channels within the head, and within the heads that help while it learns


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps the size but for its stride, and its normalisation."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


def rectified(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """The same with a rectifier behind it."""
    return nn.Sequential(*convolution(inputs, outputs, kernel, stride), nn.ReLU())


class Stem(nn.Module):
    """Strides 1 to 4 along a convolution and a pooling side by side; Figure 4 (a)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = rectified(3, channels, stride=2)
        self.convolved = nn.Sequential(rectified(channels, channels // 2, 1), rectified(channels // 2, channels, 3, 2))
        self.pooled = nn.MaxPool2d(3, 2, 1)
        self.last = rectified(2 * channels, channels)

    def forward(self, images: Tensor) -> Tensor:
        features = self.first(images)
        joined: Tensor = self.last(torch.cat([self.convolved(features), self.pooled(features)], dim=1))
        return joined


class GatherAndExpand(nn.Module):
    """A bottleneck whose depth-wise convolutions work on six times the channels; Figure 5 (b), of stride 2 (c)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        wide = EXPANSION * inputs
        deep = [convolution(inputs, wide, 3, stride, inputs)]
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            deep.append(convolution(wide, wide, groups=wide))
            self.shortcut = nn.Sequential(
                *convolution(inputs, inputs, 3, stride, inputs), *convolution(inputs, outputs, 1)
            )
        self.main = nn.Sequential(
            rectified(inputs, inputs), *[layer for part in deep for layer in part], *convolution(wide, outputs, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(self.main(features) + self.shortcut(features))


class ContextEmbedding(nn.Module):
    """Adds what the whole picture is like to each of its places; Figure 4 (b)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.normalised = nn.BatchNorm2d(channels)
        self.context = rectified(channels, channels, 1)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        mean = features.mean(dim=(2, 3), keepdim=True)
        embedded: Tensor = self.last(features + self.context(self.normalised(mean)))
        return embedded


class GuidedAggregation(nn.Module):
    """Either branch gates the other, at the resolution of each; Figure 6."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.detail = nn.Sequential(
            *convolution(channels, channels, groups=channels), nn.Conv2d(channels, channels, 1, bias=False)
        )
        self.detail_down = nn.Sequential(*convolution(channels, channels, stride=2), nn.AvgPool2d(3, 2, 1))
        self.semantic_up = convolution(channels, channels)
        self.semantic = nn.Sequential(
            *convolution(channels, channels, groups=channels), nn.Conv2d(channels, channels, 1, bias=False)
        )
        self.last = convolution(channels, channels)

    def forward(self, detail: Tensor, semantic: Tensor) -> Tensor:
        size = detail.shape[-2:]
        fine = self.detail(detail) * torch.sigmoid(resized(self.semantic_up(semantic), size))
        coarse = self.detail_down(detail) * torch.sigmoid(self.semantic(semantic))
        joined: Tensor = self.last(fine + resized(coarse, size))
        return joined


class Head(nn.Module):
    """Logits (B, classes, h, w) from features (B, inputs, h, w); Figure 7."""

    def __init__(self, inputs: int, channels: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(rectified(inputs, channels), nn.Dropout(0.1), nn.Conv2d(channels, classes, 1))

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.layers(features)
        return logits


class BiSeNetV2(nn.Module):
    """Images (B, 3, H, W), sides multiples of 32, to logits (B, classes, H, W); a list of five of them in training.

    The first are those of the head, the others of the booster heads on each stage of the semantic branch, which are
    there for training alone ([Yu 2021], section 5).
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        first, second, third = DETAIL
        self.detail = nn.Sequential(
            rectified(3, first, stride=2), rectified(first, first),
            rectified(first, second, stride=2), rectified(second, second), rectified(second, second),
            rectified(second, third, stride=2), rectified(third, third), rectified(third, third),
        )  # fmt: skip
        self.stages = nn.ModuleList(
            [
                Stem(SEMANTIC[0]),
                *(
                    nn.Sequential(
                        GatherAndExpand(inputs, outputs, 2),
                        *(GatherAndExpand(outputs, outputs, 1) for _ in range(repeats)),
                    )
                    for inputs, outputs, repeats in zip(SEMANTIC, SEMANTIC[1:], (1, 1, 3), strict=False)
                ),
            ]
        )
        self.context = ContextEmbedding(SEMANTIC[-1])
        self.aggregation = GuidedAggregation(third)
        self.head = Head(third, HEAD, classes)
        self.boosters = nn.ModuleList(Head(channels, BOOSTER, classes) for channels in SEMANTIC)

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        features, stages = images, []
        for stage in self.stages:
            features = stage(features)
            stages.append(features)
        size = images.shape[-2:]
        logits = resized(self.head(self.aggregation(self.detail(images), self.context(features))), size)
        if not self.training:
            return logits
        boosted = (head(stage) for head, stage in zip(self.boosters, stages, strict=True))
        return [logits, *(resized(each, size) for each in boosted)]


def resized(features: Tensor, size: tuple[int, ...]) -> Tensor:
    """Features (B, D, h, w) brought to another size, bilinear."""
    return functional.interpolate(features, size, mode="bilinear", align_corners=False)
