"""What the head learns from: pieces of pictures' grids of features, and how much of each patch is defective."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from anomaly.backbone.patch_scorer import PatchScorer
from anomaly.inspection.computing import Computing
from anomaly.inspection.view import View, views
from anomaly.weighting.detector import Examples
from anomaly.weighting.windows import Shown, Window, defect_masks, shown, window_round
from scenes.formats.sample import GOOD, Sample
from scenes.jobs.progress import Progress

CELLS = 12  # patches of a piece's side
MOST = 1500  # pieces with defects, and pieces without
OF_GOOD = 3  # pieces of a good picture
TRIES = 20  # at a piece of a flawed picture without a defect


@dataclass(frozen=True, eq=False)
class Pieces:
    """flawed: round defects. weights: (N,) what their pictures count for. windows: the same defects as the estimator
    sees them, where it was asked for. good: features (M, D, c, c) of pieces without defects.
    """

    flawed: Examples
    weights: Tensor
    windows: Shown | None
    good: Tensor


def pieces_of(
    samples: Sequence[Sample],
    model: PatchScorer,
    scale: float,
    computing: Computing,
    seed: int,
    with_windows: bool,
    progress: Progress,
) -> Pieces:
    """Pieces of samples in random order: round the largest defects of each flawed one, and without one of all.

    Raises PictureError, SampleError.
    """
    random = np.random.default_rng(seed)
    order = [samples[place] for place in random.permutation(len(samples))]
    flawed: list[tuple[Tensor, Tensor]] = []
    good: list[Tensor] = []
    weights: list[float] = []
    windows: list[Window] = []
    pictures = ((sample.image(), None) for sample in order)
    stride = model.extractor.strides[0]
    for done, (view, grid) in enumerate(whole_grids(pictures, model, scale, computing), 1):
        sample = order[done - 1]
        shares = torch.zeros(1, *grid.shape[1:])
        masks = [] if sample.label == GOOD else defect_masks(sample)
        if masks:
            shares = defective_shares(sample.truth().defect, view, stride)
        for mask in masks if len(flawed) < MOST else ():
            place = _some_pixel(mask, random)
            corner = [int(at * view.scale) // stride - CELLS // 2 for at in place]
            flawed.append((_cut(grid, corner), _cut(shares, corner)))
            weights.append(sample.weight)
            if with_windows:
                windows.append(window_round(sample, mask))
        for _ in range(OF_GOOD if not masks else 1):
            free = _free(shares, random)
            if free is not None and len(good) < MOST:
                good.append(_cut(grid, free))
        progress("features", done, len(order))
        if len(flawed) >= MOST and len(good) >= MOST:
            break
    none = torch.zeros(0, model.extractor.channels, CELLS, CELLS)
    return Pieces(
        Examples(torch.stack([f for f, _ in flawed]), torch.stack([t for _, t in flawed])),
        torch.tensor(weights),
        shown(windows, model.extractor, lambda done: None, computing.device) if windows else None,
        torch.stack(good) if good else none,
    )


def whole_grids(
    pictures: Iterator[tuple[NDArray[np.uint8], None]], model: PatchScorer, scale: float, computing: Computing
) -> Iterator[tuple[View, Tensor]]:
    """Each picture as it is looked at, and the features (D, h, w) of all of its patches."""
    stride = model.extractor.strides[0]
    for view, parts in views(pictures, scale, computing.tile, computing, model.grid):
        grid = torch.empty(model.extractor.channels, *(-(-side // stride) for side in view.size))
        for tile, part in zip(view.tiles, parts, strict=True):
            (down, across), (own_down, own_across) = tile.cells(stride)
            grid[:, down, across] = part[0, :, own_down, own_across].cpu()
        yield view, grid


def defective_shares(defect: NDArray[np.bool_], view: View, stride: int) -> Tensor:
    """(1, h, w): how much of each patch of a picture is defective, as a mask (H, W) says."""
    mask = torch.from_numpy(defect)[None, None].float()
    if mask.shape[-2:] != view.size:
        mask = functional.interpolate(mask, view.size, mode="bilinear", antialias=True, align_corners=False)
    return functional.avg_pool2d(mask, stride, ceil_mode=True, count_include_pad=False)[0]


def _free(shares: Tensor, random: np.random.Generator) -> list[int] | None:
    """The upper left corner of a piece in which nothing is defective; None where none is found."""
    for _ in range(TRIES):
        corner = [int(random.integers(max(1, side - CELLS + 1))) for side in shares.shape[1:]]
        if not _cut(shares, corner).any():
            return corner
    return None


def _some_pixel(mask: NDArray[np.bool_], random: np.random.Generator) -> tuple[int, int]:
    rows, columns = np.nonzero(mask)
    chosen = int(random.integers(len(rows)))
    return int(rows[chosen]), int(columns[chosen])


def _cut(grid: Tensor, corner: Sequence[int]) -> Tensor:
    """(…, CELLS, CELLS) of a grid (…, h, w), moved into it as far as it fits; its border goes on beyond."""
    rows, columns = (
        torch.arange(CELLS).add(min(max(start, 0), max(0, side - CELLS))).clamp(max=side - 1)
        for start, side in zip(corner, grid.shape[-2:], strict=True)
    )
    return grid[..., rows[:, None], columns]
