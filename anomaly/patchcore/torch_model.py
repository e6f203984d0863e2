"""Sequential PatchCore as mathematics: patch features, the coreset they feed, the anomaly map ([Mao 2025], IV)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from anomaly.backbone.normalisation import patches
from anomaly.backbone.patch_extractor import PatchExtractor
from anomaly.backbone.patch_scorer import PatchScorer
from anomaly.patchcore.coreset import UNKNOWN, SequentialCoreset
from anomaly.patchcore.nearest_row import CHUNK, NearestRows, nearest_rows

BANK_SIZE = 2048  # [Mao 2025], section V.B


class SequentialPatchcoreModel(PatchScorer):
    """Scores images (B, 3, H, W), ImageNet-normalised, by the distance of their patches from the bank of good ones.

    `memory_bank` (M', D) is a buffer, so that it travels with checkpoints and exports; the coreset fills it. So are the
    `sources` and `generations` of its rows (M'), which no score needs.
    """

    memory_bank: Tensor
    sources: Tensor
    generations: Tensor

    def __init__(self, extractor: PatchExtractor, size: int = BANK_SIZE, chunk: int = CHUNK) -> None:
        super().__init__(extractor)
        self.chunk = chunk
        self.coreset = SequentialCoreset(size)
        self._nearest: NearestRows | None = None
        self.register_buffer("memory_bank", torch.empty(0, extractor.channels))
        self.register_buffer("sources", torch.empty(0, dtype=torch.int64))
        self.register_buffer("generations", torch.empty(0, dtype=torch.int64))

    def update(self, images: Tensor, valid_mask: Tensor | None = None, sources: Sequence[int] | None = None) -> int:
        """Offer the patches of good images, image by image, to the bank; return how many entered.

        sources: a number for each image, by which `coreset.forget` knows it.
        """
        accepted = 0
        for index, image in enumerate(images):
            patches_of_one = self.features(image[None], None if valid_mask is None else valid_mask[index, None])
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

    def distances(self, images: Tensor) -> Tensor:
        """(B, 1, h, w) distance of each patch from the bank. Raises ValueError while that is empty."""
        if len(self.memory_bank) == 0:
            raise ValueError("the bank is empty: train on good images first")
        return super().distances(images)

    def distances_of(self, grid: Tensor) -> Tensor:
        """(B, 1, h, w) of features (B, D, h, w)."""
        return self._distances(patches(grid)).reshape(-1, 1, *grid.shape[-2:])

    def _distances(self, features: Tensor) -> Tensor:
        """(N,) distance of patches (N, D) from the bank."""
        if torch.compiler.is_exporting():
            return nearest_rows(features, self.memory_bank)[0]
        if self._nearest is None or self._nearest.bank is not self.memory_bank:
            self._nearest = NearestRows(self.memory_bank, self.chunk)
        return self._nearest(features)[0]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_nearest": None}  # made anew from the bank, not saved beside it

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
