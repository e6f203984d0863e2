"""What all detectors have in common: they score patches by their features, and make maps of pixels of these scores."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from anomaly.backbone.normalisation import patches
from anomaly.backbone.patch_extractor import PatchExtractor
from anomaly.patchcore.distance_bounds import full_precision

BLUR_DEVIATION = 2.0  # pixels; [Mao 2025], section V.B
BLUR_KERNEL = 17  # [Mao 2025] says 16; an even kernel would shift the map by half a pixel


class PatchScorer(nn.Module):
    """Scores images (B, 3, H, W), ImageNet-normalised, patch by patch; a detector says in `distances_of` how.

    `valid_mask` (B, H, W) bool says where images show the surface: a patch of which nothing is valid is neither learnt
    nor scored.
    """

    extractor: PatchExtractor

    def __init__(self, extractor: PatchExtractor) -> None:
        super().__init__()
        self.extractor = extractor
        self.half_precision = False  # whether the extractor computes in float16; what follows it never does

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

    def anomaly_maps(self, images: Tensor, valid_mask: Tensor | None = None) -> Tensor:
        """(B, 1, H, W) score of each pixel's patch, enlarged by nearest neighbour and blurred.

        Zero outside `valid_mask`.
        """
        return self.pixels(self.distances(images), images.shape[-2:], valid_mask)

    def distances(self, images: Tensor) -> Tensor:
        """(B, 1, h, w) score of each patch; raises ValueError before anything is learnt."""
        return self.distances_of(self.grid(images))

    def distances_of(self, grid: Tensor) -> Tensor:
        """(B, 1, h, w) scores, none below 0, of features (B, D, h, w): how far patches are from good ones."""
        raise NotImplementedError

    def pixels(self, distances: Tensor, size: Sequence[int], valid_mask: Tensor | None = None) -> Tensor:
        """(B, 1, H, W) map of patches' scores (B, 1, h, w), for images of that size; see `anomaly_maps`."""
        maps = distances if valid_mask is None else distances * self.cells(valid_mask)[:, None]
        with nullcontext() if torch.compiler.is_exporting() else full_precision(maps.device):
            maps = enlarged_and_blurred(maps, self.extractor.strides[0])[..., : size[0], : size[1]]
        return maps if valid_mask is None else maps * valid_mask[:, None]

    def cells(self, valid_mask: Tensor) -> Tensor:
        """(B, h, w) bool: whether any pixel of a patch's own cell is valid."""
        stride = self.extractor.strides[0]
        return functional.max_pool2d(valid_mask[:, None].float(), stride, ceil_mode=True)[:, 0] > 0

    def forward(self, images: Tensor) -> Any:
        """An anomalib `InferenceBatch`: anomaly_map (B, 1, H, W) and pred_score (B, 1), the map's maximum."""
        from anomalib.data import InferenceBatch

        maps = self.anomaly_maps(images)
        return InferenceBatch(pred_score=maps.amax(dim=(-2, -1)), anomaly_map=maps)


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
