"""Local blend: outside the place of the edit, the target's latents are the source's.

The place is where the swapped words attend to, or a given mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, interpolate, max_pool2d

from diffusion_refine.prompt_to_prompt.maps import Maps, Shape, resized
from procgen.errors import BlemishError

THRESHOLD = 0.3  # of a map's own maximum; section "local blend" of the reference implementation
BASELINE = 0.5  # quantile of a map from which that counts: a defect covers less than half of a picture
START = 0.2  # share of the steps before the first blend: maps mean little in noise
NEIGHBOURHOOD = 3  # texels a side over which a map is dilated


@dataclass(frozen=True)
class LocalBlend:
    """Blends by where words attend to, accumulated over the steps.

    maps: what a controller keeps; words: for every target, positions of the tokens in the source's prompt and in its
    own that differ. A target's place is where its words' map, or the source's words', exceeds `threshold` of its
    maximum, both over the map's median: that is nearly nothing in large models, to which the reference's threshold of
    the maximum itself belongs, and much in small ones, in which every texel attends a little to every word.
    """

    maps: Maps
    words: Sequence[tuple[Sequence[int], Sequence[int]]]
    threshold: float = THRESHOLD
    start: float = START

    def __post_init__(self) -> None:
        _check(self.threshold, "threshold")
        _check(self.start, "start")

    def __call__(self, latents: Tensor, index: int, steps: int) -> Tensor:
        if index < self.start * steps:
            return latents
        return blended(latents, self.place((latents.shape[-2], latents.shape[-1])))

    def place(self, latent: Shape) -> Tensor:
        """Where each target is edited so far, (n, h, w) boolean at the shape of the latents."""
        attention = self.maps.placing(latent)
        if len(attention) != 1 + len(self.words):
            raise ValueError(f"maps of {len(attention)} branches for {len(self.words)} targets; the source is one more")

        def where(branch: Tensor, words: Sequence[int]) -> Tensor:
            return attended(branch[None, ..., list(words)].sum(-1), latent, self.threshold)

        return torch.cat(
            [
                where(attention[0], old) | where(own, new)
                for own, (old, new) in zip(attention[1:], self.words, strict=True)
            ]
        )


@dataclass(frozen=True)
class MaskBlend:
    """Blends by a given mask (H, W) of the picture, boolean; a latent texel belongs to it when any of its pixels does.

    margin: latent texels by which the place is wider, for a defect's rim; start: share of the steps before the first
    blend.
    """

    mask: Tensor
    margin: int = 1
    start: float = 0.0

    def __post_init__(self) -> None:
        _check(self.start, "start")
        if not bool(self.mask.any()):
            raise BlemishError("the mask of the edit is empty; give one that covers what may change")

    def __call__(self, latents: Tensor, index: int, steps: int) -> Tensor:
        if index < self.start * steps:
            return latents
        place = self.place((latents.shape[-2], latents.shape[-1])).to(latents.device)
        return blended(latents, place.expand(len(latents) - 1, -1, -1))

    def place(self, latent: Shape) -> Tensor:
        """Where every target is edited, (1, h, w) boolean."""
        found = adaptive_max_pool2d(self.mask[None, None].float(), latent)
        return max_pool2d(found, 2 * self.margin + 1, 1, self.margin)[:, 0] > 0


def attended(maps: Tensor, latent: Shape, threshold: float = THRESHOLD) -> Tensor:
    """Where maps (B, h, w), dilated and brought to the latent's shape, exceed a share of their maximum; boolean.

    Both count from the map's median; a map that is the same everywhere is attended to everywhere, one of zeros nowhere.
    """
    wide = max_pool2d(maps[:, None], NEIGHBOURHOOD, 1, NEIGHBOURHOOD // 2)[:, 0]
    found = resized(wide, latent)
    floor = found.flatten(1).quantile(BASELINE, dim=1)[:, None, None]
    return (found > 0) & (found - floor >= threshold * (found.amax((1, 2), keepdim=True) - floor))


def blended(latents: Tensor, place: Tensor) -> Tensor:
    """The targets' latents inside their places (n, h, w), the source's outside; latents: (1 + n, C, h, w)."""
    return torch.cat([latents[:1], torch.where(place[:, None], latents[1:], latents[:1])])


def picture_mask(place: Tensor, size: tuple[int, int]) -> Tensor:
    """Places (n, h, w) as boolean masks (n, H, W) of the picture."""
    return interpolate(place[:, None].float(), size=size, mode="nearest")[:, 0] > 0


def _check(share: float, name: str) -> None:
    if not 0 <= share <= 1:
        raise BlemishError(f"found {share} for the {name} of a local blend; allowed is 0 to 1")
