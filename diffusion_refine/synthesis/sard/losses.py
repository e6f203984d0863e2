"""What generator and discriminator learn from ([Wang 2025], III-B (3) to (6) and L_MSE)."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional


class Reduction(StrEnum):
    """How the squared errors of a picture become a number: the paper's norm is the sum, beside which nothing counts."""

    mean = "mean"
    sum = "sum"


def masked_mean(values: Tensor, counted: Tensor) -> Tensor:
    """The mean of values (B,) where counted (B,) is true; 0, without gradient, where none is."""
    return torch.where(counted, values, 0.0).sum() / counted.sum().clamp(min=1)


def real_loss(logits: Tensor, counted: Tensor) -> Tensor:
    """φ(-D) over pictures that are to be found real, φ being the softplus; half of (3), and (5) or (6)."""
    return masked_mean(functional.softplus(-logits), counted)


def made_loss(logits: Tensor, counted: Tensor) -> Tensor:
    """φ(D) over pictures that are to be found made; the other half of (3)."""
    return masked_mean(functional.softplus(logits), counted)


def ahead_loss(ahead: Tensor, behind: Tensor, counted: Tensor) -> Tensor:
    """φ(D(behind) - D(ahead)): of pairs, of which one is to be found more real than the other."""
    return masked_mean(functional.softplus(behind - ahead), counted)


def reconstruction_loss(made: Tensor, clean: Tensor, mask: Tensor, outside: float, reduction: Reduction) -> Tensor:
    """L_MSE: squared errors of x̂_0 (B, C, H, W), those outside mask (B, 1, H, W) weighted by `outside`, the paper's β.

    The mean goes over all pixels of the picture, not over the mask's, so that `outside` = 1 is the plain one.
    """
    weighted = (made - clean).square() * torch.where(mask, 1.0, outside)
    return weighted.mean() if reduction is Reduction.mean else weighted.sum(dim=(1, 2, 3)).mean()


def gradient_penalty(logits: Tensor, pictures: Tensor, gamma: float) -> Tensor:
    """R1 [Mescheder 2018]: γ/2 of the mean squared norm of the logits' gradient in real pictures (B, C, H, W)."""
    (slope,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gamma / 2 * slope.square().sum(dim=(1, 2, 3)).mean()
