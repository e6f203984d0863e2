"""G_c, which stands for the solver (P3), and the fine net, which says how detail bands are multiplied (P7, P8)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion_refine.synthesis.maphc2f.energy import ORDER
from diffusion_refine.synthesis.maphc2f.wavelets import BANDS, bands

LARGEST_GAIN = 2.0  # and its inverse the smallest: more shows the blocks of the transform


@dataclass(frozen=True)
class NetworkShape:
    """Channels of the coarse net's finest level, and of the fine one."""

    coarse: int = 12
    fine: int = 24


def _two(channels: int, out: int) -> nn.Sequential:
    layers = [nn.Conv2d(channels, out, 3, padding=1), nn.SiLU(), nn.Conv2d(out, out, 3, padding=1), nn.SiLU()]
    return nn.Sequential(*layers)


class CoarseNetwork(nn.Module):
    """A small U-Net: what a mask and its mechanism add to s, the first guess of the solver as well."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        one, two, four = channels, 2 * channels, 4 * channels
        self.fine, self.middle, self.coarse = _two(2 + len(ORDER), one), _two(one, two), _two(two, four)
        self.rising, self.ending = _two(four + two, two), _two(two + one, one)
        self.exit = _nothing_at_first(nn.Conv2d(one, 1, 1))

    def forward(self, soft: Tensor, inside: Tensor, mechanisms: Tensor) -> Tensor:
        """u (B, 1, h, w) of s and m (B, 1, h, w) and mechanisms' numbers (B,)."""
        height, width = soft.shape[-2:]
        told = functional.one_hot(mechanisms, len(ORDER)).to(soft)[:, :, None, None] * inside
        seen = functional.pad(torch.cat([soft, inside, told], dim=1), (0, -width % 4, 0, -height % 4))
        fine = self.fine(seen)
        middle = self.middle(functional.avg_pool2d(fine, 2))
        coarse = self.coarse(functional.avg_pool2d(middle, 2))
        middle = self.rising(torch.cat([_twice(coarse), middle], dim=1))
        fine = self.ending(torch.cat([_twice(middle), fine], dim=1))
        found: Tensor = soft + self.exit(fine)[..., :height, :width]
        return found


def _nothing_at_first(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _twice(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)


class BoundarySynergy(nn.Module):
    """P8: features just within a mask's border are told the mean of those just outside, and the other way round."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inward, self.outward = (
            nn.Sequential(nn.Conv2d(2 * channels, channels, 1), nn.SiLU(), nn.Conv2d(channels, channels, 1))
            for _ in range(2)
        )

    def forward(self, features: Tensor, inner: Tensor, outer: Tensor) -> Tensor:
        """Features (B, C, h, w), those in the bands inner and outer (B, 1, h, w) of bool changed, the others as is."""
        for_inner = self.inward(torch.cat([features, pooled(features, outer)], dim=1))
        for_outer = self.outward(torch.cat([features, pooled(features, inner)], dim=1))
        added: Tensor = inner * for_inner + outer * for_outer
        return features + added


def pooled(features: Tensor, where: Tensor) -> Tensor:
    """(B, C, h, w) of features of that shape: everywhere their mean over a mask (B, 1, h, w); 0 where that is empty."""
    mean = (features * where).sum(dim=(2, 3), keepdim=True) / where.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    return mean.expand_as(features)


class FineNetwork(nn.Module):
    """From the coarse picture, its change, its masks and what the bands should be like to the gains of all bands."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.entry = _two(8, channels)
        self.told = nn.Linear(BANDS, channels)
        self.halves, self.quarters = _two(channels, channels), _two(channels, channels)
        self.synergy = BoundarySynergy(channels)
        self.exits = nn.ModuleList(_nothing_at_first(nn.Conv2d(channels, 3, 1)) for _ in range(2))  # gains of 1

    def forward(self, coarse: Tensor, good: Tensor, mask: Tensor, near: Tensor, wanted: Tensor) -> Tensor:
        """Gains (B, 1, H, W), laid out like coefficients, where those that are not of detail have 1.

        coarse, good: J_c and I, (B, 3, H, W). mask, near: m and the dilated m, (B, 1, H, W) of bool. wanted: |band| of
        the reference (B, 6).
        """
        seen = torch.cat([coarse, coarse - good, mask.to(coarse), near.to(coarse)], dim=1)
        told = self.told(torch.log(wanted.clamp(min=1e-4)))[:, :, None, None]
        features = functional.avg_pool2d(self.entry(seen), 2) + told
        inside, around = (functional.max_pool2d(each.to(coarse), 2) > 0 for each in (mask, near))
        eroded = functional.max_pool2d((~inside).to(coarse), 3, stride=1, padding=1) == 0
        features = self.synergy(self.halves(features), inside & ~eroded, around & ~inside)
        levels = features, self.quarters(functional.avg_pool2d(features, 2))
        gains = torch.ones_like(mask, dtype=coarse.dtype)
        found = [self.exits[number](features) for number, features in enumerate(levels)]
        for number, band in enumerate(bands(gains)):
            of_level = found[number // 3]
            band[:] = torch.exp(math.log(LARGEST_GAIN) * torch.tanh(of_level[:, number % 3 : number % 3 + 1]))
        return gains


class Networks(nn.Module):
    """Both nets, in one file."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        self.coarse, self.fine = CoarseNetwork(shape.coarse), FineNetwork(shape.fine)
