"""The stages of one defect: physics (P1), coarse, in which it becomes coherent (P2 to P5), and fine (P6 to P8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diffusion_refine.synthesis.generator import Mask
from diffusion_refine.synthesis.maphc2f.change import seamless_change
from diffusion_refine.synthesis.maphc2f.energy import ORDER, energy, problem, residual
from diffusion_refine.synthesis.maphc2f.mechanisms import Mechanism
from diffusion_refine.synthesis.maphc2f.networks import LARGEST_GAIN, CoarseNetwork, FineNetwork
from diffusion_refine.synthesis.maphc2f.options import Wavelet
from diffusion_refine.synthesis.maphc2f.solver import solve
from diffusion_refine.synthesis.maphc2f.wavelets import (
    analysis,
    bands,
    brightness,
    changeable,
    dilated,
    magnitudes,
    reach,
    synthesis,
)

DIGITS = 6  # of figures in records

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Staged:
    """pixels (H, W, C) after a stage, where they may differ from the good picture, and what is told of it."""

    pixels: Values
    changed: Mask
    record: dict[str, Any]


def physical(good: Values, appearance: Values, mask: Mask) -> Staged:
    """J_0 of P1: a picture (H, W, C) as physics draws it within a mask (H, W)."""
    return Staged(np.where(mask[..., None], good + appearance, good), mask, {})


def coarse(
    good: Values,
    appearance: Values,
    mask: Mask,
    others: Mask,
    mechanism: Mechanism,
    network: CoarseNetwork | None,
) -> Staged:
    """J_c of P5: a picture (H, W, C) of even sides with the change that physics makes of it, as intense as P2 has it.

    others: (H, W) of defects beside this one. network: in the place of the solver.
    """
    inside = halved(torch.from_numpy(mask)[None, None])
    if network is None:
        solution = solve(inside[0, 0].double().numpy(), inside[0, 0].numpy(), mechanism)
        intensity = torch.from_numpy(solution.intensity)[None, None]
        told: dict[str, Any] = {"by": "solver", "steps": len(solution.energies) - 1}
    else:
        device = next(network.parameters()).device
        field, number = inside.float().to(device), torch.tensor([ORDER.index(mechanism)], device=device)
        intensity = network(field, field, number).double().cpu()
        told = {"by": "network"}
    asked = problem(inside.double(), inside.double(), [mechanism])
    left = residual(intensity, asked)[inside].square().mean().sqrt()
    share = doubled(intensity.clamp(0.0, 1.0))[0, 0].numpy()
    pixels = good + share[..., None] * seamless_change(appearance, mask, others)
    record = {
        **told,
        "energy": [_rounded(energy(inside.double(), asked)), _rounded(energy(intensity, asked))],
        "residual": _rounded(left),
        "intensity": _rounded(share[mask].mean()),
    }
    return Staged(np.where(mask[..., None], pixels, good), mask, record)


def fine(
    good: Values,
    made: Staged,
    wanted: NDArray[np.float64],
    wavelet: Wavelet,
    network: FineNetwork | None,
) -> Staged:
    """J_f of P7: the coarse picture (H, W, C), its detail bands near the mask multiplied to be like `wanted`.

    wanted: |band| over brightness (6,). Without a network every band has one gain, that which P7 asks for, within the
    same limits.
    """
    picture, good_picture = (torch.from_numpy(each).permute(2, 0, 1)[None] for each in (made.pixels, good))
    mask = torch.from_numpy(made.changed)[None, None]
    near = dilated(mask, reach(wavelet))
    coefficients, counted = analysis(picture, wavelet), changeable(near, wavelet)
    asked = torch.from_numpy(wanted)[None] * brightness(good_picture, near)
    before = magnitudes(coefficients, counted)
    if network is None:
        gains = even_gains(before, asked, counted)
    else:
        device = next(network.parameters()).device
        seen = (each.expand(-1, 3, -1, -1).float().to(device) for each in (picture, good_picture))
        given = network(*seen, mask.to(device), near.to(device), asked.float().to(device))
        gains = given.double().cpu()
    gains = torch.where(counted, gains, 1.0)
    pixels = synthesis(coefficients * gains, wavelet)[0].permute(1, 2, 0).numpy()
    changed = near[0, 0].numpy()
    record = {
        "by": "bands" if network is None else "network",
        "wavelet": wavelet.value,
        "gains": [_rounded(value) for value in magnitudes(gains, counted)[0]],
        "bands": {
            "before": [_rounded(value) for value in before[0]],
            "after": [_rounded(value) for value in magnitudes(coefficients * gains, counted)[0]],
            "wanted": [_rounded(value) for value in asked[0]],
        },
    }
    return Staged(np.where(changed[..., None], pixels, good), changed, record)


def even_gains(found: Tensor, wanted: Tensor, like: Tensor) -> Tensor:
    """Gains (1, 1, H, W), one a band, that bring |band| `found` (1, 6) to what is wanted, as far as limits let them."""
    gains = torch.ones_like(like, dtype=found.dtype)
    ratio = torch.where(found > 0, wanted / found, 1.0).clamp(1.0 / LARGEST_GAIN, LARGEST_GAIN)
    for number, band in enumerate(bands(gains)):
        band[:] = ratio[0, number]
    return gains


def halved(mask: Tensor) -> Tensor:
    """(B, 1, H/2, W/2): cells of the half grid that a mask (B, 1, H, W) touches, so that no thin crack fades."""
    return functional.max_pool2d(mask.float(), 2) > 0


def doubled(field: Tensor) -> Tensor:
    """(B, 1, H, W) of a field on the half grid."""
    return functional.interpolate(field, scale_factor=2.0, mode="bilinear", align_corners=False)


def _rounded(value: Any) -> float:
    return round(float(value), DIGITS)
