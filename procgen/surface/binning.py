"""Points grouped into small boxes, so that a population is only compared with the points near each of its members."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

POINTS_PER_BOX = 32  # aimed at, on average: fewer and the boxes cost more than the points that they spare
ROUNDING = 1e-9  # boxes are taken larger by this fraction, for points that rounding put on the wrong side of a wall


@dataclass(frozen=True)
class Boxes:
    """The occupied cubes of a grid: index (B, 3) of each, edge length `size` in metres, and which one holds each point.

    Cube (0, 0, 0) has its lowest corner at the origin. box_of: (N,) rows of `index`.
    """

    index: Indices
    size: float
    box_of: Indices


def boxes_around(columns: Floats, size: float) -> Boxes:
    """Group points, given as (3, N) columns with N > 0, by the cube of edge length `size` (m) that they lie in."""
    index = [np.floor(column / size).astype(np.int64) for column in columns]
    lowest = [axis.min() for axis in index]
    extent = [int(axis.max() - low) + 1 for axis, low in zip(index, lowest, strict=True)]
    if float(extent[0]) * extent[1] * extent[2] > 4.0 * columns.shape[1] + 4096:  # too sparse for a table of the grid
        occupied, box_of = np.unique(np.stack(index, axis=1), axis=0, return_inverse=True)
        return Boxes(occupied, size, box_of.reshape(-1))
    x, y, z = (axis - low for axis, low in zip(index, lowest, strict=True))
    key = (x * extent[1] + y) * extent[2] + z
    is_occupied = np.zeros(extent[0] * extent[1] * extent[2], dtype=bool)
    is_occupied[key] = True
    occupied = np.stack(np.unravel_index(np.flatnonzero(is_occupied), extent), axis=1) + np.array(lowest)
    return Boxes(occupied, size, (np.cumsum(is_occupied) - 1)[key])


def boxes_per_edge(columns: Floats, length: float) -> int:
    """Into how many boxes to cut `length` (m) to find about POINTS_PER_BOX of (3, N) surface points in each."""
    _, breadth, width = sorted(float(np.ptp(column)) for column in columns)
    area = (breadth + length) * (width + length)  # of a surface that is not folded up in its bounding box
    points_per_square = columns.shape[1] * length**2 / area
    return int(np.clip(np.sqrt(points_per_square / POINTS_PER_BOX), 1, 8))


def near_pairs(boxes: Boxes, members: Floats, reach: float | Floats) -> Iterator[tuple[Indices, Indices]]:
    """Pair the points in boxes with the members of a population that come near them.

    members: (M, 3) metres. reach: metres, one or (M,). Yields point and member indices, both (n,): every pair within
    reach, and some further apart. No point occurs twice in one yield; over the yields its members come in rising order.
    """
    if len(members) == 0 or len(boxes.index) == 0:
        return
    from scipy.spatial import cKDTree

    centres = (boxes.index + 0.5) * boxes.size
    half = boxes.size * (0.5 + ROUNDING)
    close = cKDTree(centres).sparse_distance_matrix(
        cKDTree(members), float(np.max(reach)) + half * np.sqrt(3.0), output_type="ndarray"
    )
    box, member = close["i"], close["j"]
    gap = np.maximum(np.abs(members[member] - centres[box]) - half, 0.0)
    near = np.einsum("nk,nk->n", gap, gap) <= np.broadcast_to(reach, len(members))[member] ** 2
    box, member = box[near], member[near]
    order = np.lexsort((member, box))
    box, member = box[order], member[order]

    count = np.bincount(box, minlength=len(boxes.index))
    first = np.cumsum(count) - count
    points = np.flatnonzero((count > 0)[boxes.box_of])
    for turn in range(count.max(initial=0)):
        points = points[count[boxes.box_of[points]] > turn]
        yield points, member[first[boxes.box_of[points]] + turn]
