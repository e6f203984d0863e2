"""What the networks learn from: P3, and the two parts of P9 beside it."""

from __future__ import annotations

import torch
from torch import Tensor

from diffusion_refine.synthesis.maphc2f.energy import Problem, residual, stiffest

OUTSIDE, HELD = 0.05, 0.001  # l_1, without which u = 1 everywhere is as good, and l_2


def coarse_loss(intensity: Tensor, of: Problem) -> Tensor:
    """L_npcF of P3 for u (B, 1, h, w): mean_m R² + l_1 mean_{not m} |u| + l_2 mean |u − s|.

    R is over what a cell's own u makes of it, so that stiff mechanisms weigh no more than soft ones.
    """
    inside = of.inside
    outside = 1.0 - inside
    squared = ((residual(intensity, of) / stiffest(of)).square() * inside).sum() / inside.sum().clamp(min=1)
    beyond = (intensity.abs() * outside).sum() / outside.sum().clamp(min=1)
    loss: Tensor = squared + OUTSIDE * beyond + HELD * (intensity - of.soft).abs().mean()
    return loss


def wavelet_loss(found: Tensor, wanted: Tensor, scale: Tensor) -> Tensor:
    """L_wav of P7: Σ_b w_b | |band_b| − |band_b of the reference| | of (B, 6) each; scale: 1/w_b (B, 6)."""
    return ((found - wanted).abs() / scale).sum(dim=1).mean()


def border_loss(made: Tensor, physical: Tensor, mask: Tensor) -> Tensor:
    """L_b of P8: by how much pictures (B, C, H, W) jump more over a mask's border than the physical layer does.

    mask: (B, 1, H, W) of bool. The mean over pairs of pixels, one in the mask and one beside it.
    """
    total, pairs = made.new_zeros(()), made.new_zeros(())
    for axis in (2, 3):
        near, far = (slice(None, -1), slice(1, None))
        one, other = (tuple(part if dim == axis else slice(None) for dim in range(4)) for part in (near, far))
        crossed = mask[one] != mask[other]
        jump, given = ((each[one] - each[other]).abs().mean(dim=1, keepdim=True) for each in (made, physical))
        total = total + (torch.relu(jump - given) * crossed).sum()
        pairs = pairs + crossed.sum()
    return total / pairs.clamp(min=1)
