"""The bi-level optimisation of BiSQAD (P12 to P14): weights with which a detector's step lowers another loss most.

The detector's step is kept in the graph, so that the loss after it on other pictures has a gradient in the weights:

    d l_val / d φ = −η ∇_θ l_val(θ') · ∂/∂φ ∇_θ l_inner(θ, φ),    θ' = θ − η ∇_θ l_inner(θ, φ)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

Parameters = Mapping[str, Tensor]


class SegmentationHead(nn.Module):
    """The detector: logits (B, 1, h, w) of features (B, D, h, w) of a frozen backbone."""

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 1), nn.SiLU(), nn.Conv2d(width, 1, 3, padding=1, padding_mode="replicate")
        )

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.layers(features)
        return found


def picture_losses(logits: Tensor, truth: Tensor) -> Tensor:
    """l (B,): cross-entropies of logits (B, 1, h, w), the mean over what truth (B, 1, h, w), shares, marks and of the
    rest, half each: a small defect counts for as much as a large one."""
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    marked, rest = truth.sum(dim=(1, 2, 3)), (1 - truth).sum(dim=(1, 2, 3))
    of_marked = (each * truth).sum(dim=(1, 2, 3)) / marked.clamp(min=1e-3)
    of_rest = (each * (1 - truth)).sum(dim=(1, 2, 3)) / rest.clamp(min=1e-3)
    return (of_marked + of_rest) / 2


def inner_loss(weights: Tensor, losses: Tensor, of_good: Tensor) -> Tensor:
    """P12: what the detector minimises: w_i l_i of synthetic pictures (n,), and l of good ones (m,); means."""
    return (weights * losses).mean() + of_good.mean()


def stepped(parameters: Parameters, loss: Tensor, rate: float) -> dict[str, Tensor]:
    """θ' of P14: one step down the gradient of a loss, which stays in the graph."""
    slopes = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
    return {name: value - rate * slope for (name, value), slope in zip(parameters.items(), slopes, strict=True)}


def called(network: nn.Module, parameters: Parameters, features: Tensor) -> Tensor:
    """A network with other parameters than its own."""
    found: Tensor = functional_call(network, dict(parameters), (features,))
    return found
