"""The sequential coreset of [Mao 2025], section IV: a bounded bank of patch features that expands as patches pass by.

Distances that decide anything are sums of squared differences, taken in float64 and added from the first dimension
to the last, so that they depend on the two vectors alone: not on the chunk, the thread count or the device. Matrix
products only bound them (`anomaly.patchcore.distance_bounds`). The result is the literal algorithm's, row for row.

Most patches are close to a few rows that many patches are close to. A patch is refused as soon as one row is surely
near enough, so a block of patches meets those rows first and only what they leave over meets the whole bank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomaly.patchcore.distance_bounds import FAR, DistanceBounds, full_precision
from anomaly.patchcore.nearest_row import CHUNK, nearest_rows

LARGEST_BLOCK, SMALLEST_BLOCK = 2048, 64  # patches compared with the bank together during an update
CROWDED, QUIET = 96, 16  # acceptances in a block above which the next one is halved, below which it is doubled
POPULAR = 8  # one row in so many is met first
FEWEST_ROWS = 64  # of a bank of which the popular ones are worth meeting first
HITS_KEPT = 0.9  # of a row's count of refused patches, from block to block
PIECE = 256  # rows of a bank just filled that are measured against all others at once
TOGETHER = 16  # rows that lost their nearest neighbour and are measured anew at once: one costs nearly as much
UNKNOWN = -1  # source of a row that nobody named


@dataclass(frozen=True)
class Certificate:
    """How well a bank covers a set of patches, and what that proves about it.

    cover: the largest distance from a patch to the bank; closest: between the bank's closest pair, infinite while it
    has no pair or is not full. `factor` times the radius of the best possible bank of that size, whatever points it
    consisted of, is at least `cover`: 2 at the fixed point, where no patch is farther than the closest pair is apart.
    """

    cover: float
    closest: float
    patches: int

    @property
    def optimum_at_least(self) -> float:
        """No bank of this size covers the patches and the bank's own rows with a smaller radius.

        The bank's m rows and its worst covered patch are m + 1 points, pairwise at least min(cover, closest) apart:
        m balls of a radius below half of that cannot hold them all.
        """
        return min(self.cover, self.closest) / 2

    @property
    def factor(self) -> float:
        return max(2.0, 2 * self.cover / self.closest) if self.cover > 0 else 1.0


class SequentialCoreset:
    """Fills to `size`; then a patch farther from the bank than its closest pair is apart replaces the pair's lower row.

    The comparison is strict; of several closest pairs the first in row-major order counts. Memory is O(size): each row
    keeps bounds on the distances to its nearest and its second nearest neighbour instead of a distance matrix. Every
    row remembers its `source`, a number that whoever offered it gave (say, of the image), and the `generation` in
    which it entered.
    """

    _bounds: DistanceBounds
    _hits: NDArray[np.float64]  # patches that each row lately refused
    # Squared distances: at least `_near` to the nearest row, exactly that where `_exact`; it is `_neighbour` (-1: not
    # known). At least `_others` to any row but that one.
    _near: NDArray[np.float64]
    _others: NDArray[np.float64]
    _neighbour: NDArray[np.int64]
    _exact: NDArray[np.bool_]
    _closest: int  # the lower row of the closest pair

    def __init__(self, size: int) -> None:
        self.size = _checked_size(size)
        self.generation = 0
        self.count = 0
        self._rows: NDArray[Any] = np.empty((0, 0), np.float32)
        self._sources, self._generations = np.empty(0, np.int64), np.empty(0, np.int64)
        self._device = torch.device("cpu")

    @property
    def bank(self) -> Tensor:
        """A copy of the rows collected so far, (M', D), in the features' dtype and on their device."""
        if self.count == 0:
            return torch.empty(0, 0)
        return torch.from_numpy(self._rows[: self.count].copy()).to(self._device)

    @property
    def sources(self) -> Tensor:
        """Where each row comes from, (M',) int64; `UNKNOWN` where nobody said."""
        return torch.from_numpy(self._sources[: self.count].copy())

    @property
    def generations(self) -> Tensor:
        """The generation in which each row entered, (M',) int64."""
        return torch.from_numpy(self._generations[: self.count].copy())

    @property
    def closest(self) -> float:
        """Distance between the closest pair of a full bank (d_m of [Mao 2025]); infinite while there is no pair."""
        return float(np.sqrt(self._near[self._closest])) if self._is_full and self.size > 1 else float("inf")

    def update(self, features: Tensor, source: int | Tensor = UNKNOWN) -> int:
        """Offer patches (N, D) in order; return how many entered the bank.

        source: one number for all patches or (N,) int64. Half-precision features are widened to float32. Nothing is
        changed when the features are refused.

        Raises:
            ValueError: not (N, D), another D or dtype than the bank, NaN or infinity among the features, or not one
                source each.
        """
        sources = _one_each(source, len(features))
        rows = self._checked(features)
        with self._careful():
            return self._update(rows, sources)

    def meld(self, *others: SequentialCoreset) -> int:
        """Offer other coresets' rows, each in its order ([Mao 2025], coreset melding); return how many entered.

        Sources travel with the rows; the generation is this coreset's own, and so is the device.
        """
        return sum(self.update(other.bank.to(self._device), other.sources) for other in others if other.count)

    def resize(self, size: int) -> None:
        """Grow, to be filled by later updates, or shrink: the closest pair's lower row goes until `size` are left."""
        size = _checked_size(size)
        if self.count > size:
            scratch = SequentialCoreset(self.count)
            scratch.update(self.bank)
            self._keep(scratch._without_closest(self.count - size))
        self.size = size
        self._allot()

    def forget(self, sources: Iterable[int]) -> int:
        """Remove every row that came from one of `sources`; return how many went. Later updates fill the room.

        What such a row once displaced does not come back by itself: offer the other images again.
        """
        return self._remove(np.isin(self._sources[: self.count], np.array(list(sources), np.int64)))

    def age_out(self, oldest: int) -> int:
        """Remove every row that entered before the generation `oldest`; return how many went."""
        return self._remove(self._generations[: self.count] < oldest)

    def certificate(self, features: Tensor | Iterable[Tensor]) -> Certificate:
        """How far the bank is from the best possible one for these patches: (N, D), or pieces of them."""
        cover, patches = 0.0, 0
        for piece in [features] if isinstance(features, Tensor) else features:
            if len(piece):
                cover = max(cover, float(self.nearest(piece)[0].max()))
                patches += len(piece)
        return Certificate(cover, self.closest, patches)

    def nearest(self, features: Tensor, chunk: int = CHUNK) -> tuple[Tensor, Tensor]:
        """Distance (N,) from each feature (N, D) to its nearest row, and that row's index (N,); see `nearest_rows`."""
        if self.count == 0:
            raise ValueError("the coreset is empty: update it with the features of good images first")
        return nearest_rows(features, self.bank.to(features), chunk)

    def state_dict(self) -> dict[str, Any]:
        """The rows and where they come from: everything else is derived from them, to the last bit."""
        return {
            "size": self.size,
            "bank": self.bank,
            "sources": self.sources,
            "generations": self.generations,
            "generation": self.generation,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become the coreset that `state_dict` described; sources and generations may be absent.

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
            self.update(state["bank"], state.get("sources", UNKNOWN))
        self._generations[: self.count] = state.get("generations", torch.tensor(0)).numpy()
        self.generation = int(state.get("generation", 0))

    @property
    def _is_full(self) -> bool:
        return self.count == self.size

    @contextmanager
    def _careful(self) -> Iterator[None]:
        # Squares may overflow to infinity: such distances are compared as they are, and the bounds rule nothing out.
        with np.errstate(over="ignore", invalid="ignore"), full_precision(self._device), torch.no_grad():
            yield

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
        rows = features.cpu().numpy()
        if not np.isfinite(rows).all():
            raise ValueError("features contain NaN or infinity; check the images and the backbone's weights")
        if self.count == 0:
            self._rows = np.empty((0, rows.shape[1]), rows.dtype)
            self._allot()
        elif rows.dtype != self._rows.dtype:
            raise ValueError(f"features are {rows.dtype}; the bank is {self._rows.dtype}: convert one of them")
        self._device = features.device
        return rows

    def _allot(self) -> None:
        """Make room for `size` rows, of which the first `count` are kept."""
        rows = np.empty((self.size, self._rows.shape[1]), self._rows.dtype)
        sources, generations = np.full(self.size, UNKNOWN), np.zeros(self.size, np.int64)
        for new, old in ((rows, self._rows), (sources, self._sources), (generations, self._generations)):
            new[: self.count] = old[: self.count]
        self._rows, self._sources, self._generations = rows, sources, generations
        if self._is_full and self.count:
            with self._careful():
                self._measure_all()

    def _remove(self, gone: NDArray[np.bool_]) -> int:
        if gone.any():
            self._keep(~gone)
            self._allot()
        return int(np.count_nonzero(gone))

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(kept)
        self._rows, self._sources, self._generations = (
            array[rows] for array in (self._rows, self._sources, self._generations)
        )
        self.count = len(rows)

    def _update(self, rows: NDArray[Any], sources: NDArray[np.int64]) -> int:
        filled = min(self.size - self.count, len(rows))
        if filled:
            place = slice(self.count, self.count + filled)
            self._rows[place], self._sources[place] = rows[:filled], sources[:filled]
            self._generations[place] = self.generation
            self.count += filled
            if self._is_full:
                self._measure_all()
        accepted, start, block = filled, filled, LARGEST_BLOCK // 2
        if start < len(rows) and self.size > 1:
            if self._bounds.is_worn:
                self._bounds = DistanceBounds(self._rows, self._device)
            while start < len(rows):
                passed, entered = self._offer(rows[start : start + block], sources[start : start + block])
                accepted, start = accepted + entered, start + passed
                if entered > CROWDED:
                    block = max(block // 2, SMALLEST_BLOCK)
                elif entered < QUIET:
                    block = min(block * 2, LARGEST_BLOCK)
        return accepted

    def _measure_all(self) -> None:
        """Bound the distance of every row to its nearest neighbour, and find the closest pair."""
        self._hits = np.zeros(self.size)
        self._near, self._others = np.full(self.size, -np.inf), np.full(self.size, -np.inf)
        self._neighbour, self._exact = np.full(self.size, -1), np.zeros(self.size, bool)
        self._bounds = DistanceBounds(self._rows, self._device)
        if self.size == 1:
            self._near[:], self._exact[:] = np.inf, True
        elif self._bounds.is_sound:
            for start in range(0, self.size, PIECE):
                self._bound_rows(np.arange(start, min(start + PIECE, self.size)))
        self._find_closest()

    def _bound_rows(self, rows: NDArray[np.int64]) -> None:
        bounds, each = self._bounds, np.arange(len(rows))
        values = bounds.between(rows)
        values[each, rows] = np.inf
        nearest = values.argmin(axis=1)
        lowest = values[each, nearest].astype(np.float64)
        values[each, nearest] = np.inf
        norms = bounds.norms[rows]
        offsets = norms**2 - bounds.slack(norms, bounds.radius)
        self._near[rows] = np.maximum(self._near[rows], (2 * lowest + offsets) / bounds.unit)
        self._others[rows] = (2 * values.min(axis=1).astype(np.float64) + offsets) / bounds.unit
        self._neighbour[rows] = nearest

    def _find_closest(self) -> None:
        """Make bounds exact, the lowest first, until the lowest of all is."""
        while not self._exact[lowest := int(self._near.argmin())]:
            neighbour = self._neighbour[lowest]
            if neighbour < 0 and self._bounds.is_sound:
                unknown = np.flatnonzero((self._neighbour < 0) & ~self._exact)
                self._bound_rows(unknown[np.argsort(self._near[unknown], kind="stable")[:TOGETHER]])
                continue
            square = self._squares(self._rows[lowest], neighbour[None])[0] if neighbour >= 0 else np.inf
            if neighbour >= 0 and square <= self._others[lowest]:
                self._near[lowest], self._exact[lowest] = square, True
            else:
                self._settle(lowest, self._candidates_of(lowest))
        self._closest = lowest

    def _candidates_of(self, row: int) -> _CandidateRows:
        """Among which the nearest neighbour of a row of the bank is."""
        bounds, vector = self._bounds, self._rows[row]
        if not bounds.is_sound:
            return self._candidates_directly(vector)
        norm = float(bounds.norms[row])
        values = bounds.between(np.array([row]))[0]
        return _CandidateRows(vector, values, norm**2, bounds.slack(norm, bounds.radius), bounds.unit)

    def _candidates_directly(self, vector: NDArray[Any]) -> _CandidateRows:
        return _CandidateRows(vector, self._squares(vector, np.arange(self.size)), 0.0, 0.0, 1.0, factor=1)

    def _nearest_in(self, candidates: _CandidateRows, without: int = -1) -> tuple[float, int]:
        """The exact squared distance to the nearest row, and the row, from all that the bounds do not rule out."""
        rows = candidates.indices()
        rows = rows[rows != without]
        squares = self._squares(candidates.vector, rows)
        best = int(squares.argmin())
        return float(squares[best]), int(rows[best])

    def _settle(self, row: int, candidates: _CandidateRows, nearest: tuple[float, int] | None = None) -> None:
        """Note what the candidates for `row` (which may be about to enter) tell about its neighbours."""
        candidates.values[row] = np.inf
        square, neighbour = nearest or self._nearest_in(candidates, row)
        self._near[row], self._neighbour[row], self._exact[row] = square, neighbour, True
        self._others[row] = max(candidates.lowest_without(neighbour), square)

    def _squares(self, vector: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        difference = self._rows[rows].astype(np.float64)
        difference -= vector
        difference *= difference
        return np.add.accumulate(difference, axis=1)[:, -1]

    def _offer(self, rows: NDArray[Any], sources: NDArray[np.int64]) -> tuple[int, int]:
        """Offer a block of patches to the full bank, one after the other; return how many passed and how many entered.

        Stops early after a patch that lies so far out that the bank needs another scale.
        """
        bounds = self._bounds
        block = _Block(bounds, rows, self._near[self._closest])
        if self._device.type == "cpu" and self.size >= FEWEST_ROWS:
            block.find_covering_rows(self._popular())
        entered = patch = 0
        while (patch := block.next_candidate(patch)) < len(rows):
            vector, is_far = rows[patch], block.is_far[patch]
            candidates = self._candidates_directly(vector) if is_far else block.candidate_rows(patch)
            patch += 1
            if candidates.highest() <= self._near[self._closest]:
                continue
            nearest = self._nearest_in(candidates)
            if not nearest[0] > self._near[self._closest]:
                continue
            row = self._closest
            self._rows[row], self._sources[row], self._generations[row] = vector, sources[patch - 1], self.generation
            self._tie(row, candidates, nearest if nearest[1] != row else None)
            entered += 1
            if is_far:
                self._bounds = DistanceBounds(self._rows, self._device)
            else:
                bounds.replace(row, block.centred[patch - 1])
            self._find_closest()
            if is_far:
                break
            block.replaced(row, self._near[self._closest])
        self._hits = HITS_KEPT * self._hits + block.hits(self.size)
        return patch, entered

    def _popular(self) -> NDArray[np.int64]:
        """The rows that lately refused most patches, the first first."""
        count = self.size // POPULAR
        rows = np.argpartition(-self._hits, count)[:count]
        return rows[np.argsort(-self._hits[rows], kind="stable")]

    def _tie(self, row: int, candidates: _CandidateRows, nearest: tuple[float, int] | None) -> None:
        """Bring all neighbours up to date with a vector that takes the place of `row`."""
        self._detach(row)
        candidates.values[row] = np.inf
        lower = candidates.lower()
        closer = np.flatnonzero(lower < self._near)
        squares = self._squares(candidates.vector, closer)
        moved = squares <= self._near[closer]
        rows = closer[moved]
        np.minimum(self._others, lower, out=self._others)
        self._others[rows] = self._near[rows]
        self._near[rows], self._neighbour[rows], self._exact[rows] = squares[moved], row, True
        np.maximum(self._others, self._near, out=self._others)
        self._settle(row, candidates, nearest)

    def _detach(self, row: int) -> None:
        """Let go of a row that leaves: whose nearest it was is at least as far from any other row."""
        left = np.flatnonzero(self._neighbour == row)
        self._near[left] = np.maximum(self._near[left], self._others[left])
        self._neighbour[left], self._exact[left] = -1, False

    def _without_closest(self, number: int) -> NDArray[np.bool_]:
        """(M,) False for the rows that go when the closest pair's lower row goes `number` times; the bank is spoilt."""
        kept = np.ones(self.size, bool)
        with self._careful():
            for _ in range(number):
                row = self._closest
                kept[row] = False
                self._rows[row] = np.inf  # infinitely far from all that stay
                self._bounds.remove(row)
                self._detach(row)
                self._near[row], self._exact[row] = np.inf, True
                self._find_closest()
        return kept


class _CandidateRows:
    """One vector against all rows of the bank: `values` as `DistanceBounds.values` gives them, here to be changed.

    The squared distances are (factor · values + square) / unit, each off by at most slack / unit.
    """

    def __init__(
        self, vector: NDArray[Any], values: NDArray[Any], square: float, slack: float, unit: float, factor: int = 2
    ) -> None:
        self.vector, self.values = vector, values
        self._square, self._slack, self._unit, self._factor = square, slack, unit, factor

    def highest(self) -> float:
        """The squared distance to the nearest row is at most that."""
        return (self._factor * float(self.values.min()) + self._square + self._slack) / self._unit

    def lower(self) -> NDArray[np.float64]:
        """(M,) at least so far, squared, is every row."""
        bounds = self._factor * self.values.astype(np.float64)
        bounds += self._square - self._slack
        bounds /= self._unit
        return bounds

    def lowest_without(self, row: int) -> float:
        """At least so far, squared, is every row but this one."""
        kept, self.values[row] = self.values[row], np.inf
        lowest = (self._factor * float(self.values.min()) + self._square - self._slack) / self._unit
        self.values[row] = kept
        return lowest

    def indices(self) -> NDArray[np.int64]:
        """The rows of which any may be the nearest."""
        return np.flatnonzero(self.values <= float(self.values.min()) + self._slack)


class _Block:
    """A block of patches on its way past the full bank.

    A patch's covering row is surely no farther from it than the closest pair is apart. That distance never falls, so a
    covering row refuses its patch for as long as it stays in the bank; a patch without one is a candidate to
    enter and is compared with all rows.
    """

    def __init__(self, bounds: DistanceBounds, rows: NDArray[Any], limit: float) -> None:
        self._bounds, self._rows, self._limit = bounds, rows, limit
        self.centred, self._norms = bounds.project(rows)
        self.is_far = ~(self._norms <= FAR) | (not bounds.is_sound)
        radius = max(bounds.radius, float(self._norms[~self.is_far].max(initial=0.0)))
        self._slacks = bounds.slack(self._norms, radius)
        self._covering = np.full(len(rows), -1)
        self._values: dict[int, tuple[NDArray[np.float32], int]] = {}  # and how many rows had been replaced by then
        self._replaced, self._entered = np.empty(len(rows), np.int64), 0

    def find_covering_rows(self, rows: NDArray[np.int64] | None = None, start: int = 0) -> None:
        """For every candidate from `start` on that was not yet compared with the whole bank.

        rows: only these of the bank, in that order.
        """
        which = start + np.flatnonzero((self._covering[start:] < 0) & ~self.is_far[start:])
        if self._values:
            which = which[[index not in self._values for index in which.tolist()]]
        values = self._bounds.values(self.centred[which], rows)
        thresholds = (self._limit * self._bounds.unit - self._norms[which] ** 2 - self._slacks[which]) / 2
        within = values <= thresholds.astype(np.float32)[:, None]
        first = within.argmax(axis=1)
        found = within[np.arange(len(which)), first]
        self._covering[which[found]] = first[found] if rows is None else rows[first[found]]
        if rows is None:
            for index in np.flatnonzero(~found).tolist():
                self._values[int(which[index])] = values[index], self._entered

    def next_candidate(self, start: int) -> int:
        """The first candidate from `start` on; the number of patches when there is none."""
        while start < len(self._covering):
            ahead = self._covering[start:] < 0
            step = int(ahead.argmax())
            if not ahead[step]:
                break
            start += step
            if self.is_far[start] or start in self._values:
                return start
            self.find_covering_rows(start=start)
        return len(self._covering)

    def candidate_rows(self, patch: int) -> _CandidateRows:
        """A candidate against the bank as it now is."""
        values, replaced = self._values.pop(patch)
        changed = self._replaced[replaced : self._entered]
        if len(changed):
            values[changed] = self._bounds.values_of(self.centred[patch], changed)
        square, slack = float(self._norms[patch]) ** 2, float(self._slacks[patch])
        return _CandidateRows(self._rows[patch], values, square, slack, self._bounds.unit)

    def replaced(self, row: int, limit: float) -> None:
        """A row of the bank was replaced; `limit` is the squared distance of the closest pair now."""
        self._replaced[self._entered] = row
        self._entered += 1
        self._covering[self._covering == row] = -1
        self._limit = limit

    def hits(self, size: int) -> NDArray[np.int64]:
        """(M,) how many patches each row covers."""
        return np.bincount(self._covering[self._covering >= 0], minlength=size)


def _checked_size(size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"the size of a coreset is {size!r}; expected a whole number of at least 1")
    return size


def _one_each(source: int | Tensor, count: int) -> NDArray[np.int64]:
    if not isinstance(source, Tensor):
        return np.full(count, source, np.int64)
    if source.shape != (count,) or source.dtype != torch.int64:
        raise ValueError(f"sources are {tuple(source.shape)} {source.dtype}; expected ({count},) int64, one a patch")
    return source.cpu().numpy()
