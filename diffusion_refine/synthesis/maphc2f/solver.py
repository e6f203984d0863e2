"""The reference that the network of the coarse stage stands for: the energy's minimum by implicit steps.

A step solves the energy's operator as it would be were all of the grid inside the mask, which the cosine transform
makes diagonal; steps are conjugate to each other, and as long as lowers the energy most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from torch import Tensor

from diffusion_refine.synthesis.maphc2f.energy import Problem, curvature, energy, problem, residual
from diffusion_refine.synthesis.maphc2f.mechanisms import FIDELITY, TERMS, Mechanism, Terms

STEPS = 200
TOLERANCE = 1e-7  # of the residual, over that of the first guess

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Solution:
    """intensity: u (h, w). energies: of the first guess, and after every step."""

    intensity: Values
    energies: tuple[float, ...]


def solve(soft: Values, inside: NDArray[np.bool_], mechanism: Mechanism) -> Solution:
    """The intensity (h, w) of least energy, begun with s, `soft` (h, w) from 0 to 1."""
    asked = problem(_tensor(soft), _tensor(inside), [mechanism])
    implicit = _implicit(soft.shape, TERMS[mechanism])
    found = asked.soft.clone()
    energies = [float(energy(found, asked))]
    slope = residual(found, asked)
    step = _solved(slope, implicit)
    direction = -step
    begun = left = _product(slope, step)
    while left > TOLERANCE**2 * begun and len(energies) <= STEPS:
        found = found + _length(slope, direction, asked) * direction
        energies.append(float(energy(found, asked)))
        slope = residual(found, asked)
        before, step = step, _solved(slope, implicit)
        conjugate = max(0.0, _product(slope, step - before) / left)  # Polak's and Ribière's
        direction = conjugate * direction - step
        if _product(slope, direction) >= 0.0:
            direction = -step
        left = _product(slope, step)
    return Solution(found[0, 0].numpy(), tuple(energies))


def _tensor(field: NDArray[np.float64] | NDArray[np.bool_]) -> Tensor:
    return torch.from_numpy(field.astype(np.float64))[None, None]


def _product(one: Tensor, other: Tensor) -> float:
    return float((one * other).sum())


def _length(slope: Tensor, direction: Tensor, asked: Problem) -> float:
    """How far along a direction the energy falls most, its growth taken for as bent as it can be."""
    return -_product(slope, direction) / _product(direction, curvature(direction, asked))


def _implicit(shape: tuple[int, ...], terms: Terms) -> Values:
    """Eigenvalues (h, w) of the operator on a grid that is all inside."""
    rows, columns = (2.0 - 2.0 * np.cos(np.pi * np.arange(length) / length) for length in shape)
    spread = rows[:, None] + columns
    local = terms.spring + terms.growth + FIDELITY
    found: Values = terms.stiffness * spread + terms.bending * spread**2 + local
    return found


def _solved(slope: Tensor, implicit: Values) -> Tensor:
    solved = idctn(dctn(slope[0, 0].numpy(), norm="ortho") / implicit, norm="ortho")
    return torch.from_numpy(solved)[None, None]
