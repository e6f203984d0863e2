"""The embedded backbone's second edition: a small network that answers as DINOv2's sixth block does, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from anomaly.backbone.extractor import seeded, stages_of, tensors_of
from anomaly.backbone.normalisation import OwnNormalisation
from anomaly.backbone.patch_extractor import DISTILLED, BackboneError

DISTILLED_WEIGHTS = Path(__file__).parent / "embedded" / "distilled.safetensors"
TRUNK = "tf_efficientnet_lite0"
STRIDES = (4, 8, 16)  # of the trunk's stages that are joined: 24 + 40 + 112 channels
STRIDE = 8  # of the features
WIDTH = 128  # channels after joining
NORMALISATION = OwnNormalisation((0.5,) * 3, (0.5,) * 3)  # that of the trunk
CHANNELS = 128  # of the features: so many principal components of the teacher's


class DistilledNetwork(nn.Module):
    """Images (B, 3, H, W) of sides divisible by 16, values -1 to 1, to features (B, CHANNELS, H/8, W/8).

    The trunk is EfficientNet-Lite0 as it was trained on ImageNet; the head answers with what the teacher sees.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk: Any = stages_of(TRUNK, STRIDES, pretrained=False)
        self.head = Head(sum(self.trunk.feature_info.channels()))

    def joined(self, images: Tensor) -> Tensor:
        """(B, 176, H/8, W/8) the trunk's stages on one grid."""
        fine, middle, coarse = self.trunk(images)
        coarse = functional.interpolate(coarse, middle.shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat([functional.avg_pool2d(fine, 2), middle, coarse], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.head(self.joined(images))
        return features


class Head(nn.Module):
    """Joined stages (B, C, h, w) to features (B, CHANNELS, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.join = nn.Sequential(nn.Conv2d(channels, WIDTH, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU6())
        self.mixers = nn.ModuleList([_mixer(WIDTH), _mixer(WIDTH)])
        self.answer = nn.Conv2d(WIDTH, CHANNELS, 1)

    def forward(self, stages: Tensor) -> Tensor:
        features = self.join(stages)
        for mixer in self.mixers:
            features = features + mixer(features)
        answer: Tensor = self.answer(features)
        return answer


def _mixer(width: int) -> nn.Sequential:
    """Neighbouring cells, then channels."""
    return nn.Sequential(
        nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.Conv2d(width, 2 * width, 1),
        nn.ReLU6(),
        nn.Conv2d(2 * width, width, 1),
    )


class DistilledExtractor(nn.Module):
    """Images (B, 3, H, W), ImageNet-normalised, to patch features (B, 128, ⌈H/8⌉, ⌈W/8⌉); frozen, in eval mode.

    Raises:
        BackboneError: other weights are asked for, or those it comes with are missing.
    """

    def __init__(
        self, backbone: str = DISTILLED, *, pretrained: bool = False, weights: Path | str | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        if pretrained:
            raise BackboneError(f"the backbone {backbone} has weights of its own; leave out --pretrained")
        self.backbone, self.pretrained, self.channels = DISTILLED, True, CHANNELS
        self.strides: tuple[int, ...] = (STRIDE, 2 * STRIDE)
        with seeded(seed):
            self.network = DistilledNetwork()
        path = DISTILLED_WEIGHTS if weights is None else Path(weights)
        self.network.load_state_dict(read_weights(path, self.network.state_dict()))
        self.weights = "distilled from DINOv2-small on procedural pictures" + (
            "" if weights is None else f", local weights from {path.name}"
        )
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> DistilledExtractor:
        """Stay in eval mode."""
        return super().train(False)

    def weight_tensors(self) -> dict[str, Tensor]:
        """Parameters and batch statistics."""
        return dict(self.network.state_dict())

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Take all of them over; raises RuntimeError for another network's."""
        self.network.load_state_dict(dict(tensors))

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        coarsest = STRIDES[-1]
        images = NORMALISATION(images)
        padded = functional.pad(images, (0, -width % coarsest, 0, -height % coarsest), mode="replicate")
        features: Tensor = self.network(padded.contiguous(memory_format=torch.channels_last))
        return features[..., : -(-height // STRIDE), : -(-width // STRIDE)]


def read_weights(path: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file, in single precision. Raises BackboneError where it is not the network's."""
    found = tensors_of(path)
    if {name: value.shape for name, value in found.items()} != {name: value.shape for name, value in wanted.items()}:
        raise BackboneError(f"{path}: holds other tensors than the distilled backbone has; give weights of it")
    if unsound := [name for name, value in found.items() if not bool(torch.isfinite(value).all())]:
        raise BackboneError(f"{path}: {unsound[0]} holds NaN or infinity; give sound weights")
    return {name: value.to(wanted[name].dtype) for name, value in found.items()}
