"""What features are like on procedural pictures: scales that depend on no training set, so that banks can be melded."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from anomaly.backbone.normalisation import patches, standardised
from anomaly.backbone.training.episodes import draw_episode
from anomaly.backbone.training.fields import Source

SURFACES = 12
SIZE = 160  # pixels
SEED = 0
DIGITS = 2  # kept of every figure, so that machines that round differently agree


@torch.no_grad()
def channel_deviations(features: Callable[[Tensor], Tensor]) -> Tensor:
    """(D,) deviation of every channel of `features`, (B, 3, H, W) to (B, D, h, w), over all patches."""
    rows = torch.cat([patches(features(images)) for images in procedural_pictures()])
    return _rounded(rows.std(dim=0).clamp_min(1e-6))


@torch.no_grad()
def nearest_distance(features: Callable[[Tensor], Tensor]) -> float:
    """Root mean square distance of a good patch from the nearest one of another picture of its surface."""
    squares = []
    for images in procedural_pictures():
        first, second = (patches(features(image[None])) for image in images)
        squares.append(torch.cdist(first, second).amin(dim=1).square())
    return float(_rounded(torch.cat(squares).mean().sqrt()))


@lru_cache(maxsize=1)
def procedural_pictures() -> tuple[Tensor, ...]:
    """Of each of a number of surfaces two good pictures (2, 3, S, S), ImageNet-normalised; always the same."""
    episodes = [draw_episode(Source.seeded(SEED, step, SIZE), 2, 1) for step in range(SURFACES)]
    return tuple(standardised(episode.support) for episode in episodes)


def _rounded(values: Tensor) -> Tensor:
    unit = 10 ** (torch.floor(torch.log10(values.double())) + 1 - DIGITS)
    return (torch.round(values.double() / unit) * unit).float()
