"""The bank's nearest row of every patch: exact, though few rows are looked at in all their dimensions.

Patch features vary along few directions: on real tiles, 31 of 152 hold 98 % of a bank's variance. A distance along
these alone is never larger than the whole one. So one small matrix product bounds every distance from below, the best
candidate's own distance bounds the nearest from above, and what lies between the bounds, two rows of 2048 on average,
is measured by direct differences. Where features do not oblige, the product takes all dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from anomaly.patchcore.distance_bounds import full_precision

CHUNK = 2048  # patches compared with the bank at once ([Mao 2025], section V.B)
CACHED = 512  # … by a processor, whose cache holds so many patches' bounds from 2048 rows
DIRECTIONS = 31  # of the largest variance of the bank, along which distances are bounded
GROUP = 64  # rows of which only the smallest bound is looked at first
CROWDED = 0.4  # share of the groups that may hold a patch's nearest row, from which on the product takes all dimensions
EXPORTED_PIECE = 256  # rows of the bank compared with all patches at once by an exported model
ROUNDING = 2.0**-15  # more than what a few hundred float32 additions can lose, over the sum of the squares involved

_Found = tuple[Tensor, Tensor]  # squared distances (N,) and rows (N,)


class NearestRows:
    """Finds the nearest of a bank's rows (M, D), M at least 1, as direct differences tell; floats of either precision.

    Only `chunk` x M values exist at once. What is prepared takes M x (DIRECTIONS + D) values and is of use as long as
    the bank stays what it is.
    """

    def __init__(self, bank: Tensor, chunk: int = CHUNK) -> None:
        self.bank, self.chunk = bank, chunk
        self.centre = bank.mean(dim=0)
        rows = bank - self.centre
        with full_precision(bank.device):
            _, directions = torch.linalg.eigh((rows.T @ rows).cpu().double())  # Metal has no float64
            self.directions = directions[:, -DIRECTIONS:].to(bank.dtype).to(bank.device)
            self.few, self.all = _with_halves(rows @ self.directions), _with_halves(rows)
        self.longest_square = float(rows.square().sum(dim=1).max())

    def __call__(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Distance (N,) from features (N, D) to the nearest row, and the row's index (N,) int64: of equals the first.

        Raises ValueError for features of other dimensions.
        """
        if features.shape[1] != self.bank.shape[1]:
            raise ValueError(f"features have {features.shape[1]} dimensions; the bank has {self.bank.shape[1]}")
        with full_precision(self.bank.device):
            on_processor = self.bank.device.type == "cpu"
            parts = torch.split(features, min(self.chunk, CACHED) if on_processor else self.chunk)
            found = list((_each_on_one_thread if on_processor else map)(self._of_chunk, parts))
        if not found:
            return features.new_empty(0), torch.empty(0, dtype=torch.int64, device=features.device)
        squares, indices = (torch.cat(parts) for parts in zip(*found, strict=True))
        return squares.sqrt(), indices

    def _of_chunk(self, features: Tensor) -> tuple[Tensor, Tensor]:
        bounds = self._bounded(features, few=True)
        if float(bounds.open.float().mean()) > CROWDED:
            bounds = self._bounded(features, few=False)
        patches, rows = bounds.candidates()
        squares = (features[patches] - self.bank[rows]).square().sum(dim=1)
        nearest = bounds.upper.scatter_reduce(0, patches, squares, "amin")
        indices = torch.where(bounds.upper == nearest, bounds.row, len(self.bank))
        indices.scatter_reduce_(0, patches, torch.where(squares == nearest[patches], rows, len(self.bank)), "amin")
        return nearest, indices

    def _bounded(self, features: Tensor, few: bool) -> _Bounds:
        """Bounds from below along few or all directions, and from above by the row that looks nearest along them."""
        centred = features - self.centre
        projected, prepared = (centred @ self.directions, self.few) if few else (centred, self.all)
        own = projected.square().sum(dim=1)
        # half the squared distance along the directions, less half the patch's own square
        bounds = functional.pad(-projected, (0, 1), value=1.0) @ prepared.T
        bounds = bounds.view(len(features), bounds.shape[1] // GROUP, GROUP)
        lowest = bounds.amin(dim=2)
        group = lowest.argmin(dim=1)
        patches = torch.arange(len(group), device=group.device)
        within = bounds[patches, group].argmin(dim=1)
        row = group * GROUP + within
        upper = (features - self.bank[row]).square().sum(dim=1)
        slack = ROUNDING * (upper + centred.square().sum(dim=1) + self.longest_square)
        limit = (upper - own) / 2 + slack
        bounds[patches, group, within] = torch.inf
        return _Bounds(bounds, row, upper, limit, lowest <= limit[:, None])


@dataclass(frozen=True, eq=False)
class _Bounds:
    """bounds (N, G, GROUP) of every patch and row; limit (N,) that the nearest row's bound does not exceed.

    row (N,): the one that looks nearest, whose bound is infinite from now on; upper (N,): its squared distance, which
    was measured. open (N, G): whether a group had a row within the limit, as at least one of every patch's had.
    """

    bounds: Tensor
    row: Tensor
    upper: Tensor
    limit: Tensor
    open: Tensor

    def candidates(self) -> tuple[Tensor, Tensor]:
        """Pairs of a patch and a row, (P,) int64 each, among which every patch's nearest row is, if not `row`."""
        patches, groups = self.open.nonzero(as_tuple=True)
        which, within = (self.bounds[patches, groups] <= self.limit[patches, None]).nonzero(as_tuple=True)
        return patches[which], groups[which] * GROUP + within


def nearest_rows(features: Tensor, bank: Tensor, chunk: int = CHUNK) -> tuple[Tensor, Tensor]:
    """`NearestRows` of a bank that is asked once; in an exported model, row by row through matrix products alone."""
    if not torch.compiler.is_exporting():
        return NearestRows(bank, chunk)(features)
    centre = bank.mean(dim=0)
    rows = bank - centre
    indices = _nearest_piece_by_piece(features - centre, rows, rows.square().sum(dim=1) / 2)
    return (features - bank[indices]).square().sum(dim=1).sqrt(), indices


def _each_on_one_thread(work: Callable[[Tensor], _Found], parts: Sequence[Tensor]) -> Iterable[_Found]:
    """`work` of each part, on as many threads as torch may use, each of which takes whole parts.

    Shared out among threads one by one, the twenty small operations of a part end in as many waits for each other.
    """
    threads = torch.get_num_threads()
    if min(threads, len(parts)) < 2:
        return map(work, parts)
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            return list(pool.map(work, parts))
        finally:
            torch.set_num_threads(threads)  # of threads to come; each has its own number


def _with_halves(rows: Tensor) -> Tensor:
    """Rows and half their squares (M', K + 1), M' a multiple of GROUP; the halves of rows that fill up are infinite."""
    every = torch.cat([rows, rows.square().sum(dim=1, keepdim=True) / 2], dim=1)
    filling = every.new_zeros(-len(rows) % GROUP, every.shape[1])
    filling[:, -1] = torch.inf
    return torch.cat([every, filling])


def _nearest_piece_by_piece(features: Tensor, rows: Tensor, halves: Tensor) -> Tensor:
    """The nearest row, met a piece of the bank at a time: in a graph their number must not depend on the image."""
    lowest, indices = torch.addmm(halves[:EXPORTED_PIECE], features, rows[:EXPORTED_PIECE].T, alpha=-1).min(dim=1)
    for start in range(EXPORTED_PIECE, len(rows), EXPORTED_PIECE):
        piece = slice(start, start + EXPORTED_PIECE)
        values, where = torch.addmm(halves[piece], features, rows[piece].T, alpha=-1).min(dim=1)
        indices = torch.where(values < lowest, where + start, indices)
        lowest = torch.minimum(lowest, values)
    return indices
