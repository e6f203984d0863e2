"""npcF's consistency energy of how intense a defect is, and its residual (P2, P3), in differences between cells.

∫_m weighs what couples two cells by the mean of m in both, so that the rim feels what lies outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor
from torch.nn import functional

from diffusion_refine.synthesis.maphc2f.mechanisms import FIDELITY, TERMS, Mechanism

ORDER = tuple(Mechanism)


@dataclass(frozen=True, eq=False)
class Problem:
    """soft: s, and inside: m as 0 or 1, (B, 1, h, w) each. terms: (B, 5, 1, 1, 1), those of `Terms` in their order."""

    soft: Tensor
    inside: Tensor
    terms: Tensor


def problem(soft: Tensor, inside: Tensor, mechanisms: Sequence[Mechanism] | Tensor) -> Problem:
    """That of fields (B, 1, h, w) with a mechanism each, or its number in ORDER (B,)."""
    if not isinstance(mechanisms, Tensor):
        mechanisms = torch.tensor([ORDER.index(each) for each in mechanisms], device=soft.device)
    table = torch.tensor([astuple(TERMS[each]) for each in ORDER], dtype=soft.dtype, device=soft.device)
    return Problem(soft, inside, table[mechanisms].reshape(-1, table.shape[1], 1, 1, 1))


def energy(intensity: Tensor, of: Problem) -> Tensor:
    """E(u) of P2, (B,), for u (B, 1, h, w)."""
    stiffness, bending, spring, growth, drive = of.terms.unbind(1)
    coupled = sum(
        (weight * step.square()).sum(dim=(1, 2, 3))
        for weight, step in zip(_couplings(of.inside), _steps(intensity), strict=True)
    )
    local = of.inside * (
        bending / 2 * _laplacian(intensity).square()
        + spring / 2 * intensity.square()
        + growth * _growth(intensity)
        - drive * of.soft * intensity
    )
    held = FIDELITY / 2 * (intensity - of.soft).square()
    total: Tensor = stiffness.flatten() / 2 * coupled + (local + held).sum(dim=(1, 2, 3))
    return total


def residual(intensity: Tensor, of: Problem) -> Tensor:
    """R = dE/du of P3, (B, 1, h, w)."""
    stiffness, bending, spring, growth, drive = of.terms.unbind(1)
    local = spring * intensity + growth * _growth_slope(intensity) - drive * of.soft
    bent = _laplacian(of.inside * _laplacian(intensity))
    spread = _divergence(intensity, of.inside)
    return of.inside * local + bending * bent - stiffness * spread + FIDELITY * (intensity - of.soft)


def curvature(direction: Tensor, of: Problem) -> Tensor:
    """H d, (B, 1, h, w), of a quadratic form that E's second derivative nowhere exceeds, and equals without growth."""
    stiffness, bending, spring, growth, _ = of.terms.unbind(1)
    local = of.inside * (spring + growth) * direction
    bent = _laplacian(of.inside * _laplacian(direction))
    return local + bending * bent - stiffness * _divergence(direction, of.inside) + FIDELITY * direction


def stiffest(of: Problem) -> Tensor:
    """(B, 1, 1, 1): how much R rises with a cell's own u at most."""
    stiffness, bending, spring, growth, _ = of.terms.unbind(1)
    return FIDELITY + spring + growth + 4.0 * stiffness + 20.0 * bending


def _growth(intensity: Tensor) -> Tensor:
    """u³/3 − u²/2 from 0 to 1, whose slope is bounded there; beyond, parabolas that lead back."""
    within = intensity.clamp(0.0, 1.0)
    return within**3 / 3 - within**2 / 2 + (intensity - within).square() / 2


def _growth_slope(intensity: Tensor) -> Tensor:
    within = intensity.clamp(0.0, 1.0)
    return within**2 - within + (intensity - within)


def _steps(field: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between rows and between columns."""
    return field[..., 1:, :] - field[..., :-1, :], field[..., :, 1:] - field[..., :, :-1]


def _couplings(inside: Tensor) -> tuple[Tensor, Tensor]:
    """What weighs them."""
    return (inside[..., 1:, :] + inside[..., :-1, :]) / 2, (inside[..., :, 1:] + inside[..., :, :-1]) / 2


def _divergence(field: Tensor, inside: Tensor) -> Tensor:
    """∇·(m ∇u); nothing flows over the border of the grid."""
    down, right = (weight * step for weight, step in zip(_couplings(inside), _steps(field), strict=True))
    return (
        functional.pad(down, (0, 0, 0, 1))
        - functional.pad(down, (0, 0, 1, 0))
        + functional.pad(right, (0, 1))
        - functional.pad(right, (1, 0))
    )


def _laplacian(field: Tensor) -> Tensor:
    return _divergence(field, torch.ones_like(field))
