"""Patch features of the blocks of a vision transformer of timm: DINOv2, DINOv3, CLIP, SigLIP, DeiT.

Its name says which: `NAME@LAYERS/STRIDE:SCALING`, of which each part but the first may be left out. LAYERS are the
blocks after which features are taken, counted from 1, joined by commas (by default half of all); STRIDE is
16 (the default) or 8; SCALING is `unit` (the default: every patch has length 1) or `scaled` (channels divided by their
deviation on procedural pictures): `vit_small_patch14_dinov2.lvd142m@6,9/8:scaled`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from timm.models import is_model_in_modules
from torch import Tensor, nn
from torch.nn import functional

from anomaly.backbone.extractor import (
    FeatureExtractor,
    created,
    load_strictly,
    normalisation_of,
    refuse_unknown,
    seeded,
)
from anomaly.backbone.feature_statistics import channel_deviations
from anomaly.backbone.normalisation import OwnNormalisation
from anomaly.backbone.patch_extractor import SCALED, BackboneError, PatchExtractor, bare_name
from anomaly.backbone.resampling import antialiased
from anomaly.backbone.scaled import ScaledExtractor

MODULES = ("deit", "eva", "vision_transformer")  # of timm, whose networks hand out any block's patches at any size
STRIDES = (8, 16)
NAME = re.compile(r"(?P<model>[^@/:]+)(@(?P<layers>\d+(,\d+)*))?(/(?P<stride>\d+))?(:(?P<scaling>unit|scaled))?")
DEPTH = 1 / 2  # share of the blocks after which features are taken by default: docs/inspectors.md has the comparison

Scaling = Literal["unit", "scaled"]


@dataclass(frozen=True)
class TransformerName:
    """What a name says; layers: blocks counted from 1, empty where the default is meant."""

    model: str
    layers: tuple[int, ...] = ()
    stride: int = 16
    scaling: Scaling = "unit"

    @classmethod
    def parse(cls, text: str) -> TransformerName:
        """Raises BackboneError for what is no such name."""
        found = NAME.fullmatch(text)
        if found is None or int(found["stride"] or 16) not in STRIDES:
            raise BackboneError(
                f"the backbone {text!r} is not understood; expected NAME@LAYERS/STRIDE:SCALING with layers such as 6 "
                "or 6,9, a stride of 8 or 16, and unit or scaled"
            )
        layers = tuple(sorted({int(layer) for layer in (found["layers"] or "").split(",") if layer}))
        scaling: Scaling = "scaled" if found["scaling"] == "scaled" else "unit"
        return cls(found["model"], layers, int(found["stride"] or 16), scaling)

    def __str__(self) -> str:
        return f"{self.model}@{','.join(map(str, self.layers))}/{self.stride}:{self.scaling}"


def timm_extractor(
    backbone: str, *, pretrained: bool = False, weights: Path | str | None = None, seed: int = 0
) -> PatchExtractor:
    """A timm model by its name, convolutional or a vision transformer. Raises BackboneError."""
    model = bare_name(backbone)
    refuse_unknown(model)
    if is_model_in_modules(model.split(".")[0], MODULES):
        return VisionTransformer(backbone, pretrained=pretrained, weights=weights, seed=seed)
    if backbone == model + SCALED:
        return ScaledExtractor(backbone, pretrained=pretrained, weights=weights, seed=seed)
    if model != backbone:
        raise BackboneError(
            f"{model} is no vision transformer that features of chosen layers are taken from; "
            f"give {model} or {model}{SCALED}"
        )
    return FeatureExtractor(backbone, pretrained=pretrained, weights=weights, seed=seed)


class VisionTransformer(nn.Module):
    """Images (B, 3, H, W), ImageNet-normalised, to patch features (B, D, ⌈H/s⌉, ⌈W/s⌉); frozen, in eval mode.

    The network sees the picture enlarged or reduced so that one of its patches covers s = 8 or 16 pixels, continued at
    the right and the bottom to whole patches; positions are interpolated to any size. Features of several layers are
    concatenated. Blocks beyond the last layer are dropped. Deviations of `scaled` features are found on procedural
    pictures, so that banks of different sets can be melded, and travel with the weights.

    Raises:
        BackboneError: no such model or layer, weights missing, unreachable or not fitting.
    """

    def __init__(
        self, backbone: str, *, pretrained: bool = False, weights: Path | str | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        if pretrained and weights is not None:
            raise BackboneError("pretrained weights and a weights file are both asked for; give one of them")
        name = TransformerName.parse(backbone)
        with seeded(seed):
            network: Any = created(name.model, pretrained, dynamic_img_size=True)
        if weights is not None:
            load_strictly(network, name.model, Path(weights))
            self.weights = f"local weights from {Path(weights).name}"
        elif pretrained:
            self.weights = f"pretrained, timm {network.pretrained_cfg.get('hf_hub_id') or name.model}"
        else:
            self.weights = f"untrained, seed {seed}"
        depth = len(network.blocks)
        layers = name.layers or (max(1, round(DEPTH * depth)),)
        if not 1 <= layers[0] <= layers[-1] <= depth:
            raise BackboneError(f"{name.model} has the layers 1 to {depth}; found {', '.join(map(str, layers))}")
        name = TransformerName(name.model, layers, name.stride, name.scaling)
        self.backbone, self.pretrained = str(name), pretrained or weights is not None
        self.strides: tuple[int, ...] = (name.stride,)
        self.network = _shortened(network, layers[-1])
        self._name, self._patch = name, int(network.patch_embed.patch_size[0])
        self._normalisation = normalisation_of(network.pretrained_cfg if self.pretrained else {})
        self.channels = int(network.embed_dim) * len(layers)
        # Found when first asked for: what is read back brings its own.
        self._deviation: Tensor | None = None
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> VisionTransformer:
        """Stay in eval mode."""
        return super().train(False)

    def weight_tensors(self) -> dict[str, Tensor]:
        """Parameters as timm names them, stride and layers, the normalisation and the deviations where they count."""
        tensors = {**self.network.state_dict(), **self._normalisation.tensors(), "features": self._described()}
        return {**tensors, "deviation": self.deviation} if self._name.scaling == "scaled" else tensors

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Take all of them over; raises RuntimeError or ValueError for another's."""
        taken = dict(tensors)
        normalisation = OwnNormalisation.taken_from(taken)
        described, deviation = taken.pop("features", torch.zeros(0)), taken.pop("deviation", None)
        if not torch.equal(described, self._described()):
            raise ValueError(f"expected stride and layers {self._described().tolist()}, found {described.tolist()}")
        if (deviation is not None) != (self._name.scaling == "scaled"):
            raise ValueError(f"the weights are not those of {self._name.scaling} features")
        self.network.load_state_dict(taken)
        self._normalisation, self._deviation = normalisation, deviation

    @property
    def deviation(self) -> Tensor:
        """(D,) of each channel on procedural pictures."""
        if self._deviation is None:
            self._deviation = channel_deviations(lambda images: torch.cat(self._blocks(images), dim=1))
        return self._deviation

    def fix_size(self, height: int, width: int) -> None:
        """Interpolate the positions once for pictures of this size, so that exported models need not."""
        sides = [-(-side // self._name.stride) * self._patch for side in (height, width)]
        self.network.set_input_size(img_size=tuple(sides))

    def forward(self, images: Tensor) -> Tensor:
        maps = self._blocks(images)
        if self._name.scaling == "scaled":
            return torch.cat(maps, dim=1) / self.deviation.to(images)[:, None, None]
        unit = torch.cat([functional.normalize(features, dim=1) for features in maps], dim=1)
        return unit / math.sqrt(len(maps))

    def _blocks(self, images: Tensor) -> list[Tensor]:
        """Features (B, C, ⌈H/s⌉, ⌈W/s⌉) after each of the layers, as they are."""
        stride = self._name.stride
        height, width = images.shape[-2:]
        padded = functional.pad(images, (0, -width % stride, 0, -height % stride), mode="replicate")
        if stride != self._patch:
            size = [side // stride * self._patch for side in padded.shape[-2:]]
            if stride > self._patch:
                padded = antialiased(padded, size)
            else:
                padded = functional.interpolate(padded, size, mode="bilinear", align_corners=False)
        indices = [layer - 1 for layer in self._name.layers]
        maps: Sequence[Tensor] = self.network.forward_intermediates(
            self._normalisation(padded), indices=indices, intermediates_only=True
        )
        return list(maps)

    def _described(self) -> Tensor:
        return torch.tensor([self._name.stride, *self._name.layers])


def _shortened(network: Any, blocks: int) -> Any:
    """The network without what comes after so many blocks: the rest of them, the last norm, pooling and head."""
    network.blocks = network.blocks[:blocks]
    for name in ("norm", "fc_norm", "head", "head_drop", "head_dist", "attn_pool"):
        if getattr(network, name, None) is not None:
            setattr(network, name, nn.Identity())
    return network
