"""Several backbones as one, `embedded+dinov2-small`: their features side by side, on the finest grid and one scale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from anomaly.backbone.feature_statistics import nearest_distance
from anomaly.backbone.patch_extractor import BACKBONES, JOIN, BackboneError, PatchExtractor, bare_name, patch_extractor


class JoinedExtractor(nn.Module):
    """Images (B, 3, H, W), ImageNet-normalised, to the features of all parts (B, ΣD, ⌈H/s⌉, ⌈W/s⌉).

    Coarser parts are interpolated to the finest one's stride s. Each is divided by how far a good patch lies from the
    nearest one of another good picture, found on procedural pictures, so that none drowns the others; these scales
    travel with the weights. Weights from the hub are for the parts that are timm's.

    Raises:
        BackboneError: a part is not to be had, or its stride is no multiple of the finest.
    """

    def __init__(
        self, backbone: str, *, pretrained: bool = False, weights: Path | str | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        if weights is not None:
            raise BackboneError(f"{backbone}: one weights file cannot serve several backbones; leave out --weights")
        names = backbone.split(JOIN)
        self.parts = nn.ModuleList(
            cast(
                nn.Module, patch_extractor(name, pretrained=pretrained and bare_name(name) not in BACKBONES, seed=seed)
            )
            for name in names
        )
        parts = self._extractors()
        self.backbone = JOIN.join(part.backbone for part in parts)
        self.weights = f" {JOIN} ".join(part.weights for part in parts)
        self.pretrained = all(part.pretrained for part in parts)
        self.channels = sum(part.channels for part in parts)
        finest = min(part.strides[0] for part in parts)
        self.strides: tuple[int, ...] = (finest,)
        if uneven := [part.backbone for part in parts if part.strides[0] % finest]:
            raise BackboneError(f"{uneven[0]} has a stride that is no multiple of {finest}; join others")
        self._scales: Tensor | None = None  # found when first asked for: what is read back brings its own
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> JoinedExtractor:
        """Stay in eval mode."""
        return super().train(False)

    def weight_tensors(self) -> dict[str, Tensor]:
        """Those of all parts, numbered, and the scales."""
        numbered = {
            f"{number}.{name}": value
            for number, part in enumerate(self._extractors())
            for name, value in part.weight_tensors().items()
        }
        return {**numbered, "scales": self.scales}

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Take all of them over; raises KeyError, RuntimeError or ValueError for another's."""
        scales = tensors["scales"]
        for number, part in enumerate(self._extractors()):
            prefix = f"{number}."
            part.load_weights({n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)})
        self._scales = scales

    @property
    def scales(self) -> Tensor:
        """(parts,) what each part's features are divided by."""
        if self._scales is None:
            self._scales = torch.tensor([nearest_distance(part) for part in self._extractors()])
        return self._scales

    def forward(self, images: Tensor) -> Tensor:
        finest = self.strides[0]
        rows, columns = (-(-side // finest) for side in images.shape[-2:])
        maps = []
        for part, scale in zip(self._extractors(), self.scales.tolist(), strict=True):
            features = part(images) / scale
            if part.strides[0] > finest:
                features = functional.interpolate(
                    features, scale_factor=part.strides[0] // finest, mode="bilinear", align_corners=False
                )[..., :rows, :columns]
            maps.append(features)
        return torch.cat(maps, dim=1)

    def _extractors(self) -> list[PatchExtractor]:
        return [cast(PatchExtractor, part) for part in self.parts]
