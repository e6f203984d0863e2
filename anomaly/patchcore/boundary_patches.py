"""What a bank knows of its cells, so that banks can be melded without their pictures: a second pass over the coreset.

A row's cell is the patches of which it is the nearest row; its boundary patches are the few farthest of them. The rows
of a bank say where patches are, not how far around: a row that goes leaves its cell to whoever is next, and the
boundary patches tell how badly that serves it. [Mao 2025] melds by offering rows alone (section IV, coreset melding);
this is ours.

Farthest-first traversal over the rows and boundary patches of all banks (Gonzalez, "Clustering to Minimize the
Maximum Intercluster Distance", 1985) chooses the new rows. A row stands for what is hidden in its cell as well, which
lies within its radius ρ, that of its nearest boundary patch: at a distance d from the rows chosen it counts
√(d² + .65 ρ²).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomaly.patchcore.coreset import UNKNOWN, SequentialCoreset
from anomaly.patchcore.nearest_row import CHUNK, NearestRows

# Share of ρ² that a row's hidden patches add to its d². With all of it boundary patches are the worst covered patches,
# with a quarter hidden ones are; between these the largest distance was least on real tiles.
HIDDEN_SHARE = 0.65
NAMES = ("features", "rows", "sources", "generations", "radii")


@dataclass(frozen=True, eq=False)
class BoundaryPatches:
    """The farthest patches of each of a bank's M cells, row by row and the farthest first.

    features (P, D) in the bank's dtype; rows (P,) int64: whose cell; sources and generations (P,) int64 as a coreset's
    rows have them; radii (M,) float32: every other patch of the cell lies within that distance of its row.
    """

    features: Tensor
    rows: Tensor
    sources: Tensor
    generations: Tensor
    radii: Tensor

    def __post_init__(self) -> None:
        count = len(self.features)
        lengths = {name: len(getattr(self, name)) for name in NAMES[1:4]}
        if self.features.ndim != 2 or set(lengths.values()) != {count}:
            shape = tuple(self.features.shape)
            raise ValueError(f"boundary patches are {shape} with {lengths}; expected one of each a patch")
        if count and not 0 <= int(self.rows.min()) <= int(self.rows.max()) < len(self.radii):
            last = int(self.rows.max())
            raise ValueError(f"boundary patches belong to rows up to {last}; the bank has {len(self.radii)}")
        if not (bool(self.features.isfinite().all()) and bool(self.radii.isfinite().all())):
            raise ValueError("boundary patches contain NaN or infinity")

    def __len__(self) -> int:
        return len(self.features)

    def without(self, rows: Tensor, patches: Tensor) -> BoundaryPatches:
        """Those left when the `rows` (M,) bool of the bank go, and all that are theirs, and the `patches` (P,) bool."""
        left = ~rows
        kept = left[self.rows] & ~patches
        places = torch.cumsum(left, dim=0) - 1
        return BoundaryPatches(
            self.features[kept],
            places[self.rows[kept]],
            self.sources[kept],
            self.generations[kept],
            self.radii[left],
        )

    def tensors(self) -> dict[str, Tensor]:
        """What of them is kept in a file."""
        return {f"boundary_patches.{name}": getattr(self, name) for name in NAMES}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], bank: Tensor) -> BoundaryPatches:
        """Those of the bank (M, D) that `tensors` described; raises KeyError or ValueError when they are not."""
        found = cls(*(tensors[f"boundary_patches.{name}"] for name in NAMES))
        if len(found.radii) != len(bank) or found.features.shape[1:] != bank.shape[1:]:
            raise ValueError(
                f"boundary patches of {len(found.radii)} rows in {found.features.shape[1]} dimensions found; "
                f"the bank is {tuple(bank.shape)}"
            )
        return found


class BoundaryPatchFinder:
    """Finds the `each` farthest patches of every cell of a bank (M, D) among pieces of patches, in O(M · each) memory.

    Distances are summed in float64. Of equally far patches the first offered counts, whatever the pieces; a patch that
    equals its row is none. Raises ValueError for an empty bank or fewer than one a cell.
    """

    def __init__(self, bank: Tensor, each: int) -> None:
        if len(bank) == 0:
            raise ValueError("the bank is empty: boundary patches are those of rows")
        if isinstance(each, bool) or not isinstance(each, int) or each < 1:
            raise ValueError(f"{each!r} boundary patches a row; expected a whole number of at least 1")
        self._bank, self._each = bank.cpu(), each
        self._nearest = NearestRows(self._bank)
        self._rows_of_bank: NDArray[np.float64] = self._bank.double().numpy()
        self._limits = np.zeros(len(bank))  # squared; a patch must lie farther to enter
        self._squares, self._rows = np.empty(0), np.empty(0, np.int64)
        self._sources, self._generations = np.empty(0, np.int64), np.empty(0, np.int64)
        self._features = self._bank.new_empty(0, bank.shape[1])

    def offer(self, features: Tensor, source: int | Tensor = UNKNOWN, generation: int | Tensor = 0) -> None:
        """Patches (N, D) of the bank's dtype; source and generation: one for all or (N,) int64.

        Raises:
            ValueError: other dimensions than the bank, NaN or infinity, or not one source and generation each.
        """
        features = features.detach().cpu().to(self._bank.dtype)
        if not bool(features.isfinite().all()):
            raise ValueError("features contain NaN or infinity; check the images and the backbone's weights")
        sources, generations = (self._one_each(value, len(features)) for value in (source, generation))
        for start in range(0, len(features), CHUNK):
            piece = slice(start, start + CHUNK)
            self._offer(features[piece], sources[piece], generations[piece])

    def _offer(self, features: Tensor, sources: NDArray[np.int64], generations: NDArray[np.int64]) -> None:
        rows = self._nearest(features)[1].numpy()
        squares = self._squared_distances(features, rows)
        new = squares > self._limits[rows]
        rows, squares = np.concatenate([self._rows, rows[new]]), np.concatenate([self._squares, squares[new]])
        order = np.lexsort((-squares, rows))  # stable: those offered before come first
        ranks = np.arange(len(order)) - np.searchsorted(rows[order], rows[order])
        order = order[ranks < self._each]
        self._rows, self._squares = rows[order], squares[order]
        self._sources = np.concatenate([self._sources, sources[new]])[order]
        self._generations = np.concatenate([self._generations, generations[new]])[order]
        self._features = torch.cat([self._features, features[torch.from_numpy(new)]])[torch.from_numpy(order)]
        full = np.flatnonzero(np.bincount(self._rows, minlength=len(self._limits)) == self._each)
        self._limits[full] = self._squares[np.searchsorted(self._rows, full, side="right") - 1]

    def found(self) -> BoundaryPatches:
        """Those among all patches offered so far; a cell with fewer patches has fewer, and the radius 0."""
        return BoundaryPatches(
            self._features,
            rows=torch.from_numpy(self._rows.copy()),
            sources=torch.from_numpy(self._sources.copy()),
            generations=torch.from_numpy(self._generations.copy()),
            radii=torch.from_numpy(np.sqrt(self._limits).astype(np.float32)),
        )

    def _squared_distances(self, features: Tensor, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(N,) from each patch to its row, added from the first dimension to the last: the same in any piece."""
        differences = np.square(features.double().numpy() - self._rows_of_bank[rows]).T
        total = np.zeros(len(rows))
        for dimension in differences:
            total += dimension
        return total

    @staticmethod
    def _one_each(value: int | Tensor, count: int) -> NDArray[np.int64]:
        numbers = value.cpu().numpy() if isinstance(value, Tensor) else np.full(count, value, np.int64)
        if numbers.shape != (count,) or numbers.dtype != np.int64:
            raise ValueError(f"one of {numbers.shape} {numbers.dtype} each; expected ({count},) int64, one a patch")
        return numbers


def melded(
    parts: Sequence[tuple[SequentialCoreset, BoundaryPatches]], size: int, generation: int = 0
) -> SequentialCoreset:
    """One coreset of `size` rows that covers what several covered, from their rows and boundary patches.

    Where there is room for all rows all are kept, and boundary patches fill the rest. Sources travel with both; the
    first part's generations stay, what comes of the others is of `generation`, which the new coreset goes on from.
    Takes O((rows + boundary patches) · size) time and O(rows + boundary patches) memory. Nothing given is changed.

    Raises:
        ValueError: no part with rows, other dimensions or dtypes among them, or boundary patches of another bank.
    """
    parts = [(coreset, boundary) for coreset, boundary in parts if coreset.count]
    if not parts:
        raise ValueError("no bank to meld has a row")
    first = parts[0][0].bank
    for coreset, boundary in parts:
        shapes = {(first.shape[1], first.dtype)} | {(t.shape[1], t.dtype) for t in (coreset.bank, boundary.features)}
        if len(shapes) > 1:
            raise ValueError(
                f"banks and boundary patches of different dimensions or dtypes: {sorted(map(str, shapes))}"
            )
        if len(boundary.radii) != coreset.count:
            raise ValueError(f"the boundary patches of {len(boundary.radii)} rows for a bank of {coreset.count}")
    rows = sum(coreset.count for coreset, _ in parts)
    points = torch.cat([*(coreset.bank for coreset, _ in parts), *(boundary.features for _, boundary in parts)])
    sources = torch.cat([*(coreset.sources for coreset, _ in parts), *(boundary.sources for _, boundary in parts)])
    generations = torch.full_like(sources, generation)
    generations[: parts[0][0].count] = parts[0][0].generations
    generations[rows : rows + len(parts[0][1])] = parts[0][1].generations
    hidden = points.new_zeros(len(points))
    hidden[:rows] = HIDDEN_SHARE * torch.cat([boundary.radii for _, boundary in parts]).square()
    chosen = farthest_first(points, hidden, size, rows if rows <= size else 1)
    result = SequentialCoreset(size)
    result.load_state_dict(
        {
            "size": size,
            "bank": points[chosen],
            "sources": sources[chosen],
            "generations": generations[chosen],
            "generation": generation,
        }
    )
    return result


def farthest_first(points: Tensor, hidden: Tensor, size: int, begun: int = 1) -> Tensor:
    """(at most size,) int64: the first `begun` of the points (N, D), then each time the one that is worst covered.

    hidden: (N,) squared distance that counts beside a point's own from those chosen, unless that is zero: then choosing
    it would gain nothing. Of equally bad ones the first; ends early when no point is left that differs from the chosen.
    """
    chosen = list(range(min(begun, size, len(points))))
    if len(chosen) == min(size, len(points)):
        return torch.tensor(chosen)
    nearest, owners = torch.full_like(hidden, torch.inf), torch.zeros(len(points), dtype=torch.int64)
    centres = points.new_empty(size, points.shape[1])
    for number in range(size):
        if number == len(chosen):
            worst = int(torch.where(nearest > 0, nearest + hidden, -1.0).argmax())
            if nearest[worst] == 0:
                break
            chosen.append(worst)
        centre = centres[number] = points[chosen[number]]
        # Closer to the new centre than to its own is only what lies farther from its own than half way between them.
        between = (centres[: number + 1] - centre).square().sum(dim=1)
        which = (4 * nearest >= between[owners]).nonzero()[:, 0]
        squares = (points[which] - centre).square().sum(dim=1)
        closer = squares < nearest[which]
        nearest[which[closer]], owners[which[closer]] = squares[closer], number
    return torch.tensor(chosen)
