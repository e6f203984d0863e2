"""Polygons in space cut up into triangles, whatever their outline."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

FOLDED = 1e-9  # share of a polygon's area that its fan may turn over, for rounding
SLIVER = 1e-5  # twice the area of a polygon over the square of its extent below which its outline is rounding
KEPT = 1e-6  # share of a polygon's area that its triangles may miss or exceed


class FoldedPolygon(ValueError):
    """A polygon whose outline crosses itself; `polygon`: its place in the list."""

    def __init__(self, polygon: int) -> None:
        super().__init__(f"polygon {polygon} crosses itself")
        self.polygon = polygon


def triangulated(vertices: Floats, polygons: list[list[int]]) -> Indices:
    """Triangles (T, 3) of polygons given by the indices of their vertices (V, 3), turned as these, in their order.

    A polygon is a fan of triangles from its first corner where none of these folds over, and cut up by ear clipping in
    its plane otherwise; bridges to holes are part of its outline. Raises FoldedPolygon.
    """
    by_corners: dict[int, list[int]] = defaultdict(list)
    for number, polygon in enumerate(polygons):
        by_corners[len(polygon)].append(number)
    triangles, owners = [np.zeros((0, 3), dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for count, numbers in by_corners.items():
        corners = np.array([polygons[number] for number in numbers], dtype=np.int64)
        fans = np.stack(
            [np.stack([corners[:, 0], corners[:, k], corners[:, k + 1]], 1) for k in range(1, count - 1)], 1
        )
        own = np.repeat(numbers, count - 2)
        if count > 3:
            for bad in np.flatnonzero(_folds(vertices[corners])):
                fans[bad] = -1
                ears = _ears(vertices[corners[bad]], numbers[bad])
                triangles.append(corners[bad][ears])
                owners.append(np.full(len(ears), numbers[bad]))
        kept = fans[:, 0, 0] >= 0
        triangles.append(fans[kept].reshape(-1, 3))
        owners.append(own.reshape(len(numbers), -1)[kept].ravel())
    order = np.argsort(np.concatenate(owners), kind="stable")
    return np.concatenate(triangles)[order]


def _folds(corners: Floats) -> NDArray[np.bool_]:
    """(N,) whether the fan from the first corner of polygons (N, K, 3) turns over anywhere."""
    spokes = corners[:, 1:] - corners[:, :1]
    twice = np.cross(spokes[:, :-1], spokes[:, 1:])  # (N, K - 2, 3); their sum is the polygon's vector area
    whole = twice.sum(axis=1, keepdims=True)
    along = (twice * whole).sum(axis=2)
    return np.asarray((along < -FOLDED * np.abs(along).sum(axis=1, keepdims=True)).any(axis=1) | _flat(twice, whole))


def _flat(twice: Floats, whole: Floats) -> NDArray[np.bool_]:
    """Whether fans (N, K, 3) cancel themselves out, as those of a bow tie do."""
    return np.asarray(np.linalg.norm(whole[:, 0], axis=1) < KEPT * np.linalg.norm(twice, axis=2).sum(axis=1))


def _ears(corners: Floats, number: int) -> Indices:
    """Triangles (T, 3) of a polygon (K, 3) by ear clipping, turned as it is. Raises FoldedPolygon."""
    from mapbox_earcut import triangulate_float64

    spokes = corners - corners[0]
    scale = float(np.abs(spokes).max())
    spokes = spokes / max(scale, np.finfo(float).tiny)
    parts = np.cross(spokes[1:-1], spokes[2:])
    if np.linalg.norm(parts, axis=1).sum() < SLIVER:
        return np.stack([np.zeros(len(parts), dtype=np.int64), np.arange(len(parts)) + 1, np.arange(len(parts)) + 2], 1)
    normal = parts.sum(axis=0)
    area = float(np.linalg.norm(normal))
    if area < SLIVER:
        raise FoldedPolygon(number)
    axis = np.eye(3)[np.argmin(np.abs(normal))]
    right = np.cross(axis, normal)
    right /= np.linalg.norm(right)
    flat = np.ascontiguousarray(np.stack([spokes @ right, spokes @ np.cross(normal / area, right)], axis=1))
    ears = triangulate_float64(flat, np.array([len(flat)], dtype=np.uint32)).reshape(-1, 3).astype(np.int64)
    a, b, c = flat[ears].transpose(1, 0, 2)
    twice = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    if abs(np.abs(twice).sum() - area) > KEPT * area:
        raise FoldedPolygon(number)
    ears[twice < 0] = ears[twice < 0][:, ::-1]
    return ears
