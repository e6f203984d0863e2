"""Sequential PatchCore as mathematics: patch features, the coreset they feed, the anomaly map ([Mao 2025], IV)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from anomaly.backbone.normalisation import patches
from anomaly.backbone.patch_extractor import PatchExtractor
from anomaly.patchcore.coreset import UNKNOWN, SequentialCoreset
from anomaly.patchcore.distance_bounds import full_precision
from anomaly.patchcore.nearest_row import CHUNK, NearestRows, nearest_rows

BLUR_DEVIATION = 2.0  # pixels; [Mao 2025], section V.B
BLUR_KERNEL = 17  # [Mao 2025] says 16; an even kernel would shift the map by half a pixel
BANK_SIZE = 2048  # [Mao 2025], section V.B


class SequentialPatchcoreModel(nn.Module):
    """Scores images (B, 3, H, W), ImageNet-normalised, by the distance of their patches from the bank of good ones.

    `memory_bank` (M', D) is a buffer, so that it travels with checkpoints and exports; the coreset fills it. So are the
    `sources` and `generations` of its rows (M'), which no score needs. `valid_mask` (B, H, W) bool says where images
    show the surface: a patch of which nothing is valid is neither learnt nor scored.
    """

    extractor: PatchExtractor
    memory_bank: Tensor
    sources: Tensor
    generations: Tensor

    def __init__(self, extractor: PatchExtractor, size: int = BANK_SIZE, chunk: int = CHUNK) -> None:
        super().__init__()
        self.extractor = extractor
        self.chunk = chunk
        self.half_precision = False  # whether the extractor computes in float16; what follows it never does
        self.coreset = SequentialCoreset(size)
        self._nearest: NearestRows | None = None
        self.register_buffer("memory_bank", torch.empty(0, extractor.channels))
        self.register_buffer("sources", torch.empty(0, dtype=torch.int64))
        self.register_buffer("generations", torch.empty(0, dtype=torch.int64))

    @torch.no_grad()
    def features(self, images: Tensor, valid_mask: Tensor | None = None) -> Tensor:
        """(N, D) float32 patch features, image by image and row by row, without TF32 or the caller's autocast."""
        every = patches(self.grid(images))
        return every if valid_mask is None else every[self.cells(valid_mask).reshape(-1)]

    def grid(self, images: Tensor) -> Tensor:
        """(B, D, h, w) float32 features of patches, as the extractor arranges them."""
        if torch.compiler.is_exporting():
            return self.extractor(images)
        with full_precision(images.device), torch.autocast(images.device.type, torch.float16, self.half_precision):
            return self.extractor(images.float()).float()

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

    def anomaly_maps(self, images: Tensor, valid_mask: Tensor | None = None) -> Tensor:
        """(B, 1, H, W) distance of each pixel's patch from the bank, enlarged by nearest neighbour and blurred.

        Zero outside `valid_mask`.
        """
        return self.pixels(self.distances(images), images.shape[-2:], valid_mask)

    def distances(self, images: Tensor) -> Tensor:
        """(B, 1, h, w) distance of each patch from the bank. Raises ValueError while that is empty."""
        if len(self.memory_bank) == 0:
            raise ValueError("the bank is empty: train on good images first")
        return self.distances_of(self.grid(images))

    def distances_of(self, grid: Tensor) -> Tensor:
        """(B, 1, h, w) of features (B, D, h, w)."""
        return self._distances(patches(grid)).reshape(-1, 1, *grid.shape[-2:])

    def pixels(self, distances: Tensor, size: Sequence[int], valid_mask: Tensor | None = None) -> Tensor:
        """(B, 1, H, W) map of patches' distances (B, 1, h, w), for images of that size; see `anomaly_maps`."""
        maps = distances if valid_mask is None else distances * self.cells(valid_mask)[:, None]
        with nullcontext() if torch.compiler.is_exporting() else full_precision(maps.device):
            maps = enlarged_and_blurred(maps, self.extractor.strides[0])[..., : size[0], : size[1]]
        return maps if valid_mask is None else maps * valid_mask[:, None]

    def _distances(self, features: Tensor) -> Tensor:
        """(N,) distance of patches (N, D) from the bank."""
        if torch.compiler.is_exporting():
            return nearest_rows(features, self.memory_bank)[0]
        if self._nearest is None or self._nearest.bank is not self.memory_bank:
            self._nearest = NearestRows(self.memory_bank, self.chunk)
        return self._nearest(features)[0]

    def cells(self, valid_mask: Tensor) -> Tensor:
        """(B, h, w) bool: whether any pixel of a patch's own cell is valid."""
        stride = self.extractor.strides[0]
        return functional.max_pool2d(valid_mask[:, None].float(), stride, ceil_mode=True)[:, 0] > 0

    def forward(self, images: Tensor) -> Any:
        """An anomalib `InferenceBatch`: anomaly_map (B, 1, H, W) and pred_score (B, 1), the map's maximum."""
        from anomalib.data import InferenceBatch

        maps = self.anomaly_maps(images)
        return InferenceBatch(pred_score=maps.amax(dim=(-2, -1)), anomaly_map=maps)

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


def enlarged_and_blurred(cells: Tensor, factor: int, deviation: float = BLUR_DEVIATION) -> Tensor:
    """(B, 1, factor·h, factor·w) of cells (B, 1, h, w): enlarged by nearest neighbour, then blurred; deviation in px.

    The border is replicated. A pixel's place in its cell decides how much of its own and of the neighbouring cells the
    kernel gathers, so that the enlarged map need not be made first.
    """
    weights = _gathered(factor, deviation).to(cells.dtype).to(cells.device)  # not every device has float64
    beyond = weights.shape[1] // 2
    rows = functional.conv2d(functional.pad(cells, (beyond, beyond, 0, 0), mode="replicate"), weights[:, None, None, :])
    wide = rows.permute(0, 2, 3, 1).flatten(2)[:, None]
    columns = functional.conv2d(
        functional.pad(wide, (0, 0, beyond, beyond), mode="replicate"), weights[:, None, :, None]
    )
    return columns.permute(0, 2, 1, 3).flatten(1, 2)[:, None]


def _gathered(factor: int, deviation: float) -> Tensor:
    """(factor, 2n + 1) what each pixel of a cell gathers from the n cells before, its own and the n after."""
    reach = BLUR_KERNEL // 2
    beyond = -(-reach // factor)
    offsets = torch.arange(-reach, reach + 1)
    weights = torch.exp(-(offsets.double() ** 2) / (2 * deviation**2))
    cells = torch.div(torch.arange(factor)[:, None] + offsets, factor, rounding_mode="floor") + beyond
    none = torch.zeros(factor, 2 * beyond + 1, dtype=torch.float64)
    return none.scatter_add(1, cells, (weights / weights.sum()).expand(factor, -1))
