"""Distances from the rows of a bank by float32 matrix products, each within a bound that holds rigorously.

Products are fast and, where vectors are close together but far from the origin, wrong; direct differences are right and
slow. So a product never decides: it only rules out what its rounding bound allows it to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

FLOAT32_ROUNDING = 2.0**-24
UNDERFLOW = 2.0**-100  # of products and conversions, per dimension, in units where the bank's radius is about 1
FAR = 2.0**20  # norm, in the same units, beyond which products might overflow and are not asked
WIDE = 4.0  # norm of a row after whose entry the next update scales the bank anew
EXPONENTS = {np.dtype(np.float32): 126, np.dtype(np.float64): 500}  # of the scale: its square is a normal float64


class DistanceBounds:
    """A bank's rows (M, D), centred and scaled by a power of two to a radius near 1, where products lose least.

    For a vector x and a row y of the bank, `values` gives |y|²/2 − x·y. Twice that plus |x|² is the squared distance in
    scaled units (`unit` times the true one), off by at most `slack`.
    """

    def __init__(self, rows: NDArray[Any], device: torch.device) -> None:
        self._device = device
        wide = rows.astype(np.float64)
        centre = wide.mean(axis=0)
        self._centre = np.where(np.isfinite(centre).all(), centre, 0.0).astype(rows.dtype)
        radius = float(np.abs(wide - self._centre).max()) * float(np.sqrt(wide.shape[1]))
        limit = EXPONENTS[rows.dtype]
        exponent = int(np.clip(np.ceil(np.log2(radius)), -limit, limit)) if 0 < radius < np.inf else 0
        self._scale = rows.dtype.type(2.0**-exponent)
        self.unit = 4.0**-exponent
        self._rows = self._centred(rows)
        squares = (self._rows.astype(np.float64) ** 2).sum(axis=1)
        self._halves = (squares / 2).astype(np.float32)
        self.norms: NDArray[np.float64] = np.sqrt(squares)
        self.radius = float(self.norms.max())
        self._replacements = 0

    @property
    def is_sound(self) -> bool:
        """Whether products with rows of the bank cannot overflow."""
        return self.radius <= FAR

    @property
    def is_worn(self) -> bool:
        """Whether so much was replaced that new bounds would be sharper."""
        return self._replacements >= len(self._rows) or not self.radius <= WIDE

    def project(self, rows: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Vectors (N, D) as `values` wants them, and their norms (N,); a norm beyond `FAR` or NaN says not to ask."""
        centred = self._centred(rows)
        return centred, np.sqrt(np.einsum("ij,ij->i", centred, centred).astype(np.float64))

    def values(self, centred: NDArray[np.float32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """(N, M) for projected vectors (N, D), or (N, len(rows)) for some rows; inside `full_precision` only."""
        bank, halves = (self._rows, self._halves) if rows is None else (self._rows[rows], self._halves[rows])
        vectors, others, addend = (torch.from_numpy(a).to(self._device) for a in (centred, bank, halves))
        result: NDArray[np.float32] = torch.addmm(addend, vectors, others.T, alpha=-1).cpu().numpy()
        return result

    def values_of(self, centred: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(len(rows),) for one projected vector (D,) and a few rows."""
        result: NDArray[np.float32] = self._halves[rows] - self._rows[rows] @ centred
        return result

    def between(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(len(rows), M) values for rows of the bank itself."""
        return self.values(self._rows[rows])

    def slack(self, norm: Any, radius: float) -> Any:
        """How far twice a value plus the squared norm may be from the squared distance, in scaled units.

        For |x| = norm, |y| ≤ radius: a dot product of D terms and one addend, in any order, is off by at most
        gamma(D + 1)·(|x||y| + |y|²/2), a squared norm summed in float32 by gamma(D)|x|²; rounding x and y to float32
        moves their squared distance by 2u(|x| + |y|)²; ten further roundings (half norms, thresholds) are left room.
        """
        terms = self._rows.shape[1] + 16
        gamma = terms * FLOAT32_ROUNDING / (1 - terms * FLOAT32_ROUNDING)
        return gamma * (norm + radius) ** 2 + terms * UNDERFLOW

    def replace(self, row: int, centred: NDArray[np.float32]) -> None:
        """Put a projected vector (D,) in the place of a row."""
        square = float((centred.astype(np.float64) ** 2).sum())
        self._rows[row] = centred
        self._halves[row] = square / 2
        self.norms[row] = np.sqrt(square)
        self.radius = max(self.radius, float(self.norms[row]))
        self._replacements += 1

    def remove(self, row: int) -> None:
        """From now on the row is infinitely far from all others."""
        self._halves[row] = np.inf

    def _centred(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        # One rounding in float32 (the scale is a power of two), at most one more from float64.
        centred: NDArray[np.float32] = ((rows - self._centre) * self._scale).astype(np.float32)
        return centred


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """No autocast, TF32 or bfloat16 inside: the rounding bound is that of IEEE float32, of convolutions as well.

    On a card the same input gives the same output every time.
    """
    before = torch.get_float32_matmul_precision()
    if before != "highest":
        torch.set_float32_matmul_precision("highest")
    same_again = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    try:
        with torch.autocast(device.type, enabled=False), same_again if device.type == "cuda" else nullcontext():
            yield
    finally:
        if before != "highest":
            torch.set_float32_matmul_precision(before)
