"""Sequential PatchCore as mathematics: patch features, the coreset they feed, the anomaly map (seed 003, IV)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from anomaly.coreset import CHUNK, SequentialCoreset, nearest_rows
from anomaly.features import FeatureExtractor, patches
from anomaly.screen import full_precision

BLUR_DEVIATION = 2.0  # pixels; seed 003, section V.B
BLUR_KERNEL = 17  # seed 003 says 16; an even kernel would shift the map by half a pixel
BANK_SIZE = 2048  # seed 003, section V.B


class SequentialPatchcoreModel(nn.Module):
    """Judges images (B, 3, H, W), ImageNet-normalised, by the distance of their patches from the bank of good ones.

    `memory_bank` (M', D) is a buffer, so that it travels with checkpoints and exports; the coreset fills it.
    """

    memory_bank: Tensor

    def __init__(self, extractor: FeatureExtractor, size: int = BANK_SIZE, chunk: int = CHUNK) -> None:
        super().__init__()
        self.extractor = extractor
        self.chunk = chunk
        self.coreset = SequentialCoreset(size)
        self.register_buffer("memory_bank", torch.empty(0, extractor.channels))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(B·h·w, D) float32 patch features, without autocast or TF32."""
        with full_precision(images.device):
            return patches(self.extractor(images.float()))

    def update(self, images: Tensor) -> int:
        """Offer the patches of good images to the bank; return how many entered."""
        return self.update_features(self.features(images))

    def update_features(self, features: Tensor) -> int:
        """Offer patches (N, D) to the bank; return how many entered."""
        accepted = self.coreset.update(features)
        if accepted:
            self.memory_bank = self.coreset.bank.to(self.memory_bank.device)
        return accepted

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) distance of each pixel's patch from the bank, enlarged by nearest neighbour and blurred."""
        if len(self.memory_bank) == 0:
            raise ValueError("the bank is empty: train on good images first")
        grid = self.extractor(images)
        distances, _ = nearest_rows(patches(grid), self.memory_bank, self.chunk)
        stride = self.extractor.strides[0]
        maps = distances.reshape(-1, 1, *grid.shape[-2:])
        maps = functional.interpolate(maps, scale_factor=float(stride), mode="nearest")
        return gaussian_blur(maps[..., : images.shape[-2], : images.shape[-1]])

    def forward(self, images: Tensor) -> Any:
        """An anomalib `InferenceBatch`: anomaly_map (B, 1, H, W) and pred_score (B, 1), the map's maximum."""
        from anomalib.data import InferenceBatch

        maps = self.anomaly_maps(images)
        return InferenceBatch(pred_score=maps.amax(dim=(-2, -1)), anomaly_map=maps)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        bank = state_dict.get(f"{prefix}memory_bank")
        if bank is not None:
            self.memory_bank = self.memory_bank.new_empty(bank.shape)
            self.coreset.load_state_dict({"size": self.coreset.size, "bank": bank})
        super()._load_from_state_dict(state_dict, prefix, *args)


def gaussian_blur(maps: Tensor, deviation: float = BLUR_DEVIATION, kernel: int = BLUR_KERNEL) -> Tensor:
    """Separable Gaussian blur of (B, 1, H, W), the border replicated."""
    offsets = torch.arange(kernel, dtype=maps.dtype, device=maps.device) - kernel // 2
    weights = torch.exp(-(offsets**2) / (2 * deviation**2))
    weights = weights / weights.sum()
    padded = functional.pad(maps, (kernel // 2,) * 4, mode="replicate")
    rows = functional.conv2d(padded, weights.reshape(1, 1, 1, -1))
    return functional.conv2d(rows, weights.reshape(1, 1, -1, 1))
