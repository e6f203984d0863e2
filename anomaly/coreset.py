"""The sequential coreset of seed 003, section IV: a bounded bank of patch features that expands as patches pass by.

Distances that decide anything are sums of squared differences, taken in float64 and added from the first dimension
to the last, so that they depend on the two vectors alone: not on the chunk, the thread count or the device. Matrix
products only screen, within a rigorous rounding bound. The result is the literal algorithm's, row for row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CHUNK = 2048  # patches compared with the bank at once during inference (seed 003, section V.B)
LARGEST_BLOCK, SMALLEST_BLOCK = 1024, 64  # patches screened by one product during an update
CROWDED, QUIET = 96, 16  # acceptances in a block above which the next one is halved, below which it is doubled
FLOAT32_ROUNDING = 2.0**-24
UNDERFLOW = 2.0**-100  # of products and conversions, per dimension, in units where the bank's radius is about 1


class SequentialCoreset:
    """Fills to `size`; then a patch farther from the bank than its closest pair is apart replaces the pair's lower row.

    The comparison is strict; of several closest pairs the first in row-major order counts. Memory is O(size): each row
    keeps the squared distance to its nearest neighbour and that neighbour's index instead of a distance matrix.
    """

    def __init__(self, size: int) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"the size of a coreset is {size!r}; expected a whole number of at least 1")
        self.size = size
        self.count = 0
        self._rows: NDArray[Any] = np.empty((0, 0), np.float32)
        self._device = torch.device("cpu")

    @property
    def bank(self) -> Tensor:
        """A copy of the rows collected so far, (M', D), in the features' dtype and on their device."""
        if self.count == 0:
            return torch.empty(0, 0)
        return torch.from_numpy(self._rows[: self.count].copy()).to(self._device)

    @property
    def closest(self) -> float:
        """Distance between the closest pair of a full bank (d_m of seed 003); infinite while there is no pair."""
        return float(np.sqrt(self._nearest[self._closest])) if self._is_full and self.size > 1 else float("inf")

    def update(self, features: Tensor) -> int:
        """Offer patches (N, D) in order; return how many entered the bank.

        Half-precision features are widened to float32. Nothing is changed when the features are refused.

        Raises:
            ValueError: not (N, D), another D or dtype than the bank, or NaN or infinity among the features.
        """
        rows = self._checked(features)
        # Squares may overflow to infinity: such distances are compared as they are, and the screen rules nothing out.
        with np.errstate(over="ignore", invalid="ignore"):
            return self._update(rows)

    def meld(self, other: SequentialCoreset) -> int:
        """Offer another coreset's rows in their order (seed 003, coreset melding); return how many entered."""
        return self.update(other.bank) if other.count else 0

    def nearest(self, features: Tensor, chunk: int = CHUNK) -> tuple[Tensor, Tensor]:
        """Distance (N,) from each feature (N, D) to its nearest row, and that row's index (N,); see `nearest_rows`."""
        if self.count == 0:
            raise ValueError("the coreset is empty: update it with the features of good images first")
        return nearest_rows(features, self.bank.to(features), chunk)

    def state_dict(self) -> dict[str, Any]:
        """The size and the bank: everything else is derived from them, to the last bit."""
        return {"size": self.size, "bank": self.bank}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become the coreset that `state_dict` described.

        Raises:
            ValueError: the state has another size than this coreset or more rows than its size.
        """
        if state["size"] != self.size or len(state["bank"]) > self.size:
            raise ValueError(
                f"the state holds {len(state['bank'])} rows of a coreset of size {state['size']}; "
                f"this one's size is {self.size}"
            )
        self.count = 0
        if len(state["bank"]):
            self.update(state["bank"])

    @property
    def _is_full(self) -> bool:
        return self.count == self.size

    def _checked(self, features: Tensor) -> NDArray[Any]:
        if features.ndim != 2 or not features.is_floating_point():
            raise ValueError(
                f"features are {tuple(features.shape)} {features.dtype}; expected (patches, dimensions) of floats"
            )
        features = features.detach()
        if features.dtype not in (torch.float32, torch.float64):
            features = features.float()
        if self.count and features.shape[1] != self._rows.shape[1]:
            raise ValueError(f"features have {features.shape[1]} dimensions; the bank has {self._rows.shape[1]}")
        if features.shape[1] == 0:
            raise ValueError("features have no dimensions; expected at least 1")
        if not bool(torch.isfinite(features).all()):
            raise ValueError("features contain NaN or infinity; check the images and the backbone's weights")
        rows = features.cpu().numpy()
        if self.count == 0:
            self._rows = np.empty((self.size, rows.shape[1]), rows.dtype)
        elif rows.dtype != self._rows.dtype:
            raise ValueError(f"features are {rows.dtype}; the bank is {self._rows.dtype}: convert one of them")
        self._device = features.device
        return rows

    def _update(self, rows: NDArray[Any]) -> int:
        filled = min(self.size - self.count, len(rows))
        if filled:
            self._rows[self.count : self.count + filled] = rows[:filled]
            self.count += filled
            if self._is_full:
                self._measure_all()
        accepted, start, block = filled, filled, LARGEST_BLOCK // 2
        if start < len(rows):
            self._place_screen()
        while start < len(rows):
            stop = start + block
            entered = self._offer(rows[start:stop])
            accepted, start = accepted + entered, stop
            if entered > CROWDED:
                block = max(block // 2, SMALLEST_BLOCK)
            elif entered < QUIET:
                block = min(block * 2, LARGEST_BLOCK)
        return accepted

    def _measure_all(self) -> None:
        """Find every row's nearest neighbour."""
        self._nearest = np.full(self.size, np.inf)
        self._neighbour = np.full(self.size, -1)
        # A row whose neighbour was replaced keeps the old distance as a lower bound until it matters.
        self._bound_only = np.ones(self.size, bool)
        if self.size > 1:
            self._place_screen()
            for row in range(self.size):
                self._measure(row)
        self._find_closest()

    def _measure(self, row: int) -> None:
        screen = self._halves - self._screen @ self._screen[row]
        slack = self._slack(self._norms[row], self._radius)
        self._nearest[row], self._neighbour[row] = self._nearest_to(self._rows[row], screen, slack, row)
        self._bound_only[row] = False

    def _find_closest(self) -> None:
        self._closest = int(self._nearest.argmin())
        while self._bound_only[self._closest] and self.size > 1:
            self._measure(self._closest)
            self._closest = int(self._nearest.argmin())

    def _place_screen(self) -> None:
        """Centre the bank and scale it by a power of two to a radius near 1, in float32, where products lose least."""
        wide = self._rows.astype(np.float64)
        self._centre = wide.mean(axis=0)
        if not np.isfinite(self._centre).all():
            self._centre = np.zeros_like(self._centre)
        radius = float(np.abs(wide - self._centre).max()) * float(np.sqrt(wide.shape[1]))
        self._scale = float(2.0 ** -np.clip(np.ceil(np.log2(radius)), -1000, 1000)) if 0 < radius < np.inf else 1.0
        self._screen, self._norms = self._to_screen(self._rows)
        self._halves = (self._norms**2 / 2).astype(np.float32)
        self._radius = float(self._norms.max())

    def _to_screen(self, rows: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        centred = ((rows.astype(np.float64) - self._centre) * self._scale).astype(np.float32)
        return centred, np.sqrt((centred.astype(np.float64) ** 2).sum(axis=1))

    def _slack(self, norm: Any, radius: float) -> Any:
        """How far twice a screen value plus the squared norm may be from the squared distance in screen units.

        For |x| = norm, |y| ≤ radius: a dot product of D terms and one addend, in any order, is off by at most
        gamma(D + 1)·(|x||y| + |y|²/2); rounding x and y to float32 moves their squared distance by 2u(|x| + |y|)²; ten
        further roundings (half norms, thresholds, the float64 sum) are left room.
        """
        terms = self._rows.shape[1] + 16
        gamma = terms * FLOAT32_ROUNDING / (1 - terms * FLOAT32_ROUNDING)
        return gamma * (norm + radius) ** 2 + terms * UNDERFLOW

    def _nearest_to(
        self, vector: NDArray[Any], screen: NDArray[np.float32], slack: float, exclude: int = -1
    ) -> tuple[float, int]:
        """Squared distance to the nearest row and its index, from every row that the screen cannot rule out."""
        if exclude >= 0:
            screen[exclude] = np.inf
        # "not greater" keeps what overflowed to NaN
        candidates = np.flatnonzero(~(screen > screen.min() + slack))
        if exclude >= 0:
            candidates = candidates[candidates != exclude]
        squares = self._squares(vector, candidates)
        best = int(squares.argmin())
        return float(squares[best]), int(candidates[best])

    def _squares(self, vector: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        difference = self._rows[rows].astype(np.float64)
        difference -= vector
        difference *= difference
        return np.add.accumulate(difference, axis=1)[:, -1]

    def _offer(self, rows: NDArray[Any]) -> int:
        """Offer a block of patches to the full bank, one after the other."""
        if self.size == 1:
            return 0
        screen_rows, norms = self._to_screen(rows)
        slacks = self._slack(norms, max(self._radius, float(norms.max())))
        products, lowest, nearest_row = self._products(screen_rows)
        unit = self._scale**2
        squared_norms = norms**2
        highest = 2 * lowest + squared_norms + slacks  # no patch is farther from the bank than this
        suspects = ~(highest <= self._nearest[self._closest] * unit)
        replaced = np.empty(len(rows), np.int64)
        accepted = 0
        patch = -1
        while True:
            ahead = suspects[patch + 1 :]
            step = int(ahead.argmax()) if len(ahead) else 0
            if not len(ahead) or not ahead[step]:
                break
            patch += 1 + step
            screen, slack = products[patch], slacks[patch]
            if accepted:
                changed = replaced[:accepted]
                screen[changed] = self._halves[changed] - self._screen[changed] @ screen_rows[patch]
            if 2 * float(screen.min()) + squared_norms[patch] + slack <= self._nearest[self._closest] * unit:
                continue
            square, neighbour = self._nearest_to(rows[patch], screen, slack)
            if not square > self._nearest[self._closest]:
                continue
            row = self._closest
            if neighbour == row:
                square, neighbour = self._nearest_to(rows[patch], screen, slack, row)
            else:
                screen[row] = np.inf
            self._replace(row, rows[patch], screen_rows[patch], float(norms[patch]))
            within = ~((2 * screen + (squared_norms[patch] - slack)) >= self._nearest * unit)
            within[row] = False
            self._tie(row, rows[patch], square, neighbour, np.flatnonzero(within))
            replaced[accepted] = row
            accepted += 1
            suspects |= nearest_row == row
        return accepted

    def _products(self, screen_rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any]]:
        """Half the bank's squared norms minus the dot products (N, M), their minima and where these are."""
        patches, bank, halves = (
            torch.from_numpy(array).to(self._device) for array in (screen_rows, self._screen, self._halves)
        )
        with full_precision(patches.device), torch.no_grad():
            products = torch.addmm(halves, patches, bank.T, alpha=-1)
            lowest, where = products.min(dim=1)
        return products.cpu().numpy(), lowest.double().cpu().numpy(), where.cpu().numpy()

    def _replace(self, row: int, vector: NDArray[Any], screen: NDArray[np.float32], norm: float) -> None:
        self._rows[row] = vector
        self._screen[row] = screen
        self._norms[row] = norm
        self._halves[row] = norm**2 / 2
        self._radius = max(self._radius, norm)

    def _tie(self, row: int, vector: NDArray[Any], square: float, neighbour: int, within: NDArray[np.int64]) -> None:
        """Bring the neighbours up to date after `vector` replaced `row`; `within`: the rows it may be nearest to."""
        self._bound_only |= self._neighbour == row
        squares = self._squares(vector, within)
        closer = squares <= self._nearest[within]
        moved = within[closer]
        self._nearest[moved], self._neighbour[moved], self._bound_only[moved] = squares[closer], row, False
        self._nearest[row], self._neighbour[row], self._bound_only[row] = square, neighbour, False
        self._find_closest()


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """No autocast, TF32 or bfloat16 products inside: the rounding bound is that of IEEE float32."""
    before = torch.get_float32_matmul_precision()
    if before != "highest":
        torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        if before != "highest":
            torch.set_float32_matmul_precision(before)


def nearest_rows(features: Tensor, bank: Tensor, chunk: int = CHUNK) -> tuple[Tensor, Tensor]:
    """Distance (N,) from features (N, D) to the nearest of the bank's rows (M, D), and the row's index (N,) int64.

    Only `chunk` x M values exist at once. The row is found by a matrix product of centred vectors, the distance by
    direct differences, so that a feature equal to a bank row is at distance zero exactly.
    """
    if features.shape[1] != bank.shape[1]:
        raise ValueError(f"features have {features.shape[1]} dimensions; the bank has {bank.shape[1]}")
    centre = bank.mean(dim=0)
    rows = bank - centre
    halves = rows.square().sum(dim=1) / 2
    indices = torch.cat(
        [torch.addmm(halves, part - centre, rows.T, alpha=-1).argmin(dim=1) for part in features.split(chunk)]
    )
    return (features - bank[indices]).square().sum(dim=1).sqrt(), indices
