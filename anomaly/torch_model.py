"""Sequential PatchCore as mathematics: patch features, the coreset they feed, the anomaly map (seed 003, IV)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from anomaly.coreset import CHUNK, UNKNOWN, SequentialCoreset, nearest_rows
from anomaly.features import FeatureExtractor, patches
from anomaly.screen import full_precision

BLUR_DEVIATION = 2.0  # pixels; seed 003, section V.B
BLUR_KERNEL = 17  # seed 003 says 16; an even kernel would shift the map by half a pixel
BANK_SIZE = 2048  # seed 003, section V.B


class SequentialPatchcoreModel(nn.Module):
    """Judges images (B, 3, H, W), ImageNet-normalised, by the distance of their patches from the bank of good ones.

    `memory_bank` (M', D) is a buffer, so that it travels with checkpoints and exports; the coreset fills it. So are the
    `sources` and `generations` of its rows (M'), which no judgement needs. `seen` (B, H, W) bool says where images show
    the surface: a patch of which nothing is seen is neither learnt nor judged.
    """

    memory_bank: Tensor
    sources: Tensor
    generations: Tensor

    def __init__(self, extractor: FeatureExtractor, size: int = BANK_SIZE, chunk: int = CHUNK) -> None:
        super().__init__()
        self.extractor = extractor
        self.chunk = chunk
        self.coreset = SequentialCoreset(size)
        self.register_buffer("memory_bank", torch.empty(0, extractor.channels))
        self.register_buffer("sources", torch.empty(0, dtype=torch.int64))
        self.register_buffer("generations", torch.empty(0, dtype=torch.int64))

    @torch.no_grad()
    def features(self, images: Tensor, seen: Tensor | None = None) -> Tensor:
        """(N, D) float32 patch features, image by image and row by row, without autocast or TF32."""
        with full_precision(images.device):
            every = patches(self.extractor(images.float()))
        return every if seen is None else every[self._cells(seen).reshape(-1)]

    def update(self, images: Tensor, seen: Tensor | None = None, sources: Sequence[int] | None = None) -> int:
        """Offer the patches of good images, image by image, to the bank; return how many entered.

        sources: a number for each image, by which `coreset.forget` knows it.
        """
        accepted = 0
        for index, image in enumerate(images):
            patches_of_one = self.features(image[None], None if seen is None else seen[index, None])
            accepted += self.update_features(patches_of_one, UNKNOWN if sources is None else sources[index])
        return accepted

    def update_features(self, features: Tensor, source: int = UNKNOWN) -> int:
        """Offer patches (N, D) to the bank; return how many entered."""
        accepted = self.coreset.update(features, source)
        if accepted:
            self.take_over()
        return accepted

    def take_over(self) -> None:
        """Copy the coreset into the buffers; to be called by whoever changes the coreset directly."""
        device = self.memory_bank.device
        bank = self.coreset.bank.reshape(-1, self.extractor.channels)
        self.memory_bank = bank.to(device, self.memory_bank.dtype)
        self.sources, self.generations = self.coreset.sources.to(device), self.coreset.generations.to(device)

    def anomaly_maps(self, images: Tensor, seen: Tensor | None = None) -> Tensor:
        """(B, 1, H, W) distance of each pixel's patch from the bank, enlarged by nearest neighbour and blurred.

        Zero where nothing is `seen`.
        """
        if len(self.memory_bank) == 0:
            raise ValueError("the bank is empty: train on good images first")
        grid = self.extractor(images)
        distances, _ = nearest_rows(patches(grid), self.memory_bank, self.chunk)
        stride = self.extractor.strides[0]
        maps = distances.reshape(-1, 1, *grid.shape[-2:])
        if seen is not None:
            maps = maps * self._cells(seen)[:, None]
        maps = functional.interpolate(maps, scale_factor=float(stride), mode="nearest")
        maps = gaussian_blur(maps[..., : images.shape[-2], : images.shape[-1]])
        return maps if seen is None else maps * seen[:, None]

    def _cells(self, seen: Tensor) -> Tensor:
        """(B, h, w) bool: whether any pixel of a patch's own cell is seen."""
        stride = self.extractor.strides[0]
        return functional.max_pool2d(seen[:, None].float(), stride, ceil_mode=True)[:, 0] > 0

    def forward(self, images: Tensor) -> Any:
        """An anomalib `InferenceBatch`: anomaly_map (B, 1, H, W) and pred_score (B, 1), the map's maximum."""
        from anomalib.data import InferenceBatch

        maps = self.anomaly_maps(images)
        return InferenceBatch(pred_score=maps.amax(dim=(-2, -1)), anomaly_map=maps)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        bank = state_dict.get(f"{prefix}memory_bank")
        if bank is not None:
            count = len(bank)
            sources = state_dict.setdefault(f"{prefix}sources", torch.full((count,), UNKNOWN))
            generations = state_dict.setdefault(f"{prefix}generations", torch.zeros(count, dtype=torch.int64))
            self.memory_bank = self.memory_bank.new_empty(bank.shape)
            self.sources, self.generations = self.sources.new_empty(count), self.generations.new_empty(count)
            self.coreset.size = max(self.coreset.size, count)  # a bank may have grown since the model was configured
            self.coreset.load_state_dict(
                {"size": self.coreset.size, "bank": bank, "sources": sources, "generations": generations}
            )
        super()._load_from_state_dict(state_dict, prefix, *args)


def gaussian_blur(maps: Tensor, deviation: float = BLUR_DEVIATION, kernel: int = BLUR_KERNEL) -> Tensor:
    """Separable Gaussian blur of (B, 1, H, W), the border replicated."""
    offsets = torch.arange(kernel, dtype=maps.dtype, device=maps.device) - kernel // 2
    weights = torch.exp(-(offsets**2) / (2 * deviation**2))
    weights = weights / weights.sum()
    padded = functional.pad(maps, (kernel // 2,) * 4, mode="replicate")
    rows = functional.conv2d(padded, weights.reshape(1, 1, 1, -1))
    return functional.conv2d(rows, weights.reshape(1, 1, -1, 1))
