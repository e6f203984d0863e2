"""Triangles on a grid of texels: which texels each touches, and which have their centres in it."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def touched(triangles: Floats, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(rows, columns) bool: the texels whose closed square meets any of the triangles.

    triangles: (T, 3, 2) as (x, y) in texels; texel (row, column) is the square from column to column + 1 along x and
    from row to row + 1 along y. Nothing lies outside of the grid.
    """
    _, row, left, right = _spans(triangles, shape, band=(0.0, 1.0))
    edges = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
    first, last = _clipped(np.floor(left), np.floor(right), shape[1])
    held = first <= last
    np.add.at(edges, (row[held], first[held]), 1)
    np.add.at(edges, (row[held], last[held] + 1), -1)
    return np.cumsum(edges, axis=1)[:, :-1] > 0


def owners(triangles: Floats, shape: tuple[int, int]) -> Indices:
    """(rows, columns) int64: for each texel the triangle that holds its centre, else one that touches it, else -1."""
    owner = np.full(shape, -1, dtype=np.int64)
    for band, first_of, last_of in (
        ((0.0, 1.0), np.floor, np.floor),
        ((0.5, 0.5), lambda left: np.ceil(left - 0.5), lambda right: np.floor(right - 0.5)),
    ):
        triangle, row, left, right = _spans(triangles, shape, band)
        first, last = _clipped(first_of(left), last_of(right), shape[1])
        count = np.maximum(last - first + 1, 0)
        column = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
        owner[np.repeat(row, count), column] = np.repeat(triangle, count)
    return owner


def _clipped(first: Floats, last: Floats, columns: int) -> tuple[Indices, Indices]:
    return np.clip(first, 0, columns).astype(np.int64), np.clip(last, -1, columns - 1).astype(np.int64)


def _spans(
    triangles: Floats, shape: tuple[int, int], band: tuple[float, float]
) -> tuple[Indices, Indices, Floats, Floats]:
    """For each row that each triangle meets, (S,): the triangle, the row, and from where to where it extends along x.

    band: the part of the row that counts, from 0 at its lower edge to 1 at its upper one.
    """
    low = np.maximum(np.ceil(triangles[..., 1].min(axis=1) - band[1]), 0).astype(np.int64)
    high = np.minimum(np.floor(triangles[..., 1].max(axis=1) - band[0]), shape[0] - 1).astype(np.int64)
    count = np.maximum(high - low + 1, 0)
    triangle = np.repeat(np.arange(len(triangles)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    bottom, top = row + band[0], row + band[1]
    left, right = np.full(len(row), np.inf), np.full(len(row), -np.inf)
    for corner in range(3):
        start, end = triangles[triangle, corner], triangles[triangle, (corner + 1) % 3]
        rise = end[:, 1] - start[:, 1]
        level = rise == 0
        slope = np.where(level, 1.0, rise)
        at_bottom, at_top = (bottom - start[:, 1]) / slope, (top - start[:, 1]) / slope
        enters = np.where(level, 0.0, np.minimum(at_bottom, at_top))
        leaves = np.where(level, 1.0, np.maximum(at_bottom, at_top))
        meets = (enters <= 1) & (leaves >= 0) & (~level | ((bottom <= start[:, 1]) & (start[:, 1] <= top)))
        for along in (np.clip(enters, 0, 1), np.clip(leaves, 0, 1)):
            x = start[:, 0] + along * (end[:, 0] - start[:, 0])
            left = np.where(meets & (x < left), x, left)
            right = np.where(meets & (x > right), x, right)
    return triangle, row, left, right
