"""Jittered placement: one random centre in every cell of a cubic grid, without any state ([Mao 2025], section III).

And how far places are from the border of what they lie on.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.binning import Boxes, boxes_around, boxes_per_edge, near_pairs

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

INDEX_BITS = 21  # of each of the three indices of a cell, so that together they pack into one positive int64
MOST_CELLS = 1 << (INDEX_BITS - 1)  # in either direction from the origin


def jittered_centres(cells: ArrayLike, cell_size: float, seed: int) -> Floats:
    """The random point of each grid cell: (M, 3) integers -> (M, 3) metres, uniform in the cell, always the same."""
    cells = np.asarray(cells, dtype=np.int64)
    return (cells + np.stack([_uniform(cells, seed, axis) for axis in range(3)], axis=-1)) * cell_size


def has_centre(cells: ArrayLike, seed: int, occupancy: float) -> NDArray[np.bool_]:
    """Which of (M, 3) cells are occupied, each with probability `occupancy` and always the same."""
    return _uniform(np.asarray(cells, dtype=np.int64), seed, 3) < occupancy


def nearest_centre(
    points: Floats, cell_size: float, seed: int, occupancy: float = 1.0, reach: float | None = None
) -> tuple[Floats, Indices]:
    """Distance (N,) in metres from (N, 3) points to the nearest centre within `reach`, and the id (N,) of its cell.

    Where no centre is that near, the distance is infinite and the id 0. `reach` is the cell size unless given: so far,
    the nearest centre is sure to lie in the one ring of cells around a point.
    Raises BlemishError for a larger reach, and for points more than MOST_CELLS cells from the origin.
    """
    reach = cell_size if reach is None else reach
    if reach > cell_size:
        raise BlemishError(f"placement: found a reach of {reach:g} m; expected at most the cell size, {cell_size:g} m")
    if len(points) == 0:
        return np.empty(0), np.empty(0, dtype=np.int64)

    columns = np.ascontiguousarray(points.T)
    boxes, centres, ids = centres_around(columns, cell_size, seed, occupancy)
    square = np.full(len(points), np.inf)
    nearest = np.zeros(len(points), dtype=np.int64)
    for point, member in near_pairs(boxes, centres, reach):
        here = _square_distance(columns, point, centres, member)
        closer = here < square[point]
        square[point[closer]] = here[closer]
        nearest[point[closer]] = ids[member[closer]]
    distance = np.sqrt(square)
    beyond = distance > reach
    distance[beyond] = np.inf
    nearest[beyond] = 0
    return distance, nearest


def centres_around(
    columns: Floats, cell_size: float, seed: int, occupancy: float = 1.0
) -> tuple[Boxes, Floats, Indices]:
    """The points, given as (3, N) columns with N > 0, in boxes, and the centres (M, 3) of the one ring of cells round
    all of them, in metres, with the ids (M,) of their cells.

    Raises BlemishError for points more than MOST_CELLS cells from the origin.
    """
    cuts = boxes_per_edge(columns, cell_size)
    boxes = boxes_around(columns, cell_size / cuts)
    ids = _with_one_ring(packed(boxes.index // cuts))
    ids = ids[has_centre(unpacked(ids), seed, occupancy)]
    return boxes, jittered_centres(unpacked(ids), cell_size, seed), ids


def _square_distance(columns: Floats, point: Indices, centres: Floats, member: Indices) -> Floats:
    dx, dy, dz = (columns[axis][point] - centres[:, axis][member] for axis in range(3))
    result: Floats = dx * dx + dy * dy + dz * dz
    return result


def packed(cells: Indices) -> Indices:
    """One id > 0 for each of (M, 3) cells, rising with x, then y, then z; raises BlemishError beyond MOST_CELLS."""
    furthest = int(np.abs(cells).max(initial=0))
    if furthest >= MOST_CELLS - 1:
        raise BlemishError(
            f"placement: found a point {furthest} cells from the origin; expected fewer than {MOST_CELLS}: "
            "use larger cells, and metres for positions"
        )
    x, y, z = np.moveaxis(cells + MOST_CELLS, -1, 0)
    result: Indices = (x << 2 * INDEX_BITS) | (y << INDEX_BITS) | z
    return result


def unpacked(ids: Indices) -> Indices:
    """The (M, 3) cells that `packed` gave these ids."""
    mask = (1 << INDEX_BITS) - 1
    result: Indices = np.stack([ids >> 2 * INDEX_BITS, (ids >> INDEX_BITS) & mask, ids & mask], axis=-1) - MOST_CELLS
    return result


def _with_one_ring(ids: Indices) -> Indices:
    """Packed ids of cells and of all their 26 neighbours, each once, in rising order."""
    for axis in range(3):
        ids = np.unique(ids)
        step = 1 << axis * INDEX_BITS
        ids = np.concatenate([ids - step, ids, ids + step])
    return np.unique(ids)


def _uniform(cells: Indices, seed: int, stream: int) -> Floats:
    """A number in [0, 1) for each of (M, 3) cells, independent between cells, seeds and streams."""
    state = _mixed(np.full(cells.shape[:-1], seed, dtype=np.uint64) * np.uint64(4) + np.uint64(stream))
    for axis in range(3):
        state = _mixed(state ^ cells[..., axis].astype(np.uint64))
    return (state >> np.uint64(11)) * 2.0**-53


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One step of SplitMix64 [Steele 2014]: every bit of the result depends on every bit of `state`."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def distance_to_border(points: Floats, border: Floats) -> Floats:
    """Distance (N,) from (N, 2) points to the nearest side of a closed border of (K, 2) corners."""
    tail, side = border[np.newaxis], (np.roll(border, -1, axis=0) - border)[np.newaxis]
    away = points[:, np.newaxis] - tail
    length_squared = np.maximum((side**2).sum(axis=-1), np.finfo(np.float64).tiny)
    along = np.clip((away * side).sum(axis=-1) / length_squared, 0.0, 1.0)
    result: Floats = np.linalg.norm(away - along[..., np.newaxis] * side, axis=-1).min(axis=1)
    return result
