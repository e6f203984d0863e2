"""Masks as polygons and boxes, and back.

A polygon is the path over the outermost pixels of a mask, by their columns and rows; a reader marks these and all that
is within, as OpenCV, Pillow, LabelMe and the readers of YOLO do. So holes are lost, and parts are joined by lines.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Mask = NDArray[np.bool_]
Points = NDArray[np.int64]  # (N, 2): column and row
Corners = NDArray[np.float64]  # (4, 2): from the left and from the top, pixels


def outline(mask: Mask) -> Points:
    """The closed path around a mask (H, W): part after part, joined where they are nearest."""
    from scipy.ndimage import binary_fill_holes, find_objects
    from scipy.spatial import cKDTree
    from skimage.measure import label

    parts = label(mask, connectivity=2)
    path: list[tuple[int, int]] = []
    for number, (rows, columns) in enumerate(find_objects(parts), 1):
        part = binary_fill_holes(parts[rows, columns] == number)
        traced = _traced(part) + np.array([columns.start, rows.start])
        if not path:
            path = list(map(tuple, traced.tolist()))
            continue
        distances, nearest = cKDTree(path).query(traced)
        first = int(distances.argmin())
        there = int(nearest[first])
        round_it = list(map(tuple, np.roll(traced, -first, axis=0).tolist()))
        path = [*path[: there + 1], *round_it, round_it[0], *path[there:]]
    return _corners(np.array(path, dtype=np.int64).reshape(-1, 2))


def filled(points: Points | NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """The mask (H, W) of a polygon (N, 2), its own pixels among it; fractions of a pixel are cut off."""
    height, width = shape
    picture = Image.new("1", (width, height))
    vertices = [tuple(point) for point in np.floor(points).astype(int).tolist()]
    if len(vertices) == 1:
        ImageDraw.Draw(picture).point(vertices[0], fill=1)
    else:
        ImageDraw.Draw(picture).polygon(vertices, outline=1, fill=1)
    return np.array(picture, dtype=bool)


def box_mask(left: float, top: float, right: float, bottom: float, shape: tuple[int, int]) -> Mask:
    """The mask (H, W) of the pixels whose centres lie in a box, given by its edges."""
    rows, columns = (np.arange(length) + 0.5 for length in shape)
    return ((rows > top) & (rows < bottom))[:, None] & ((columns > left) & (columns < right))


def oriented_box(mask: Mask) -> Corners:
    """The corners of the least rectangle around a mask (H, W) that marks something, whichever way it lies."""
    from scipy.spatial import ConvexHull

    rows, columns = np.nonzero(mask)
    pixels = np.stack([columns, rows], axis=1)
    corners = np.concatenate([pixels + np.array(offset) for offset in ((0, 0), (1, 0), (0, 1), (1, 1))])
    hull = corners[ConvexHull(corners).vertices].astype(float)
    edges = np.roll(hull, -1, axis=0) - hull
    best: tuple[float, Corners] | None = None
    for edge in edges:
        along = edge / np.hypot(*edge)
        turn = np.array([along, [-along[1], along[0]]])  # rows: along an edge of the hull, and across
        moved = hull @ turn.T
        (left, top), (right, bottom) = moved.min(axis=0), moved.max(axis=0)
        area = float((right - left) * (bottom - top))
        if best is None or area < best[0]:
            rectangle = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
            best = area, rectangle @ turn
    assert best is not None
    return best[1]


def _traced(part: Mask) -> Points:
    """The outermost pixels of one part without holes, each beside the one before it, all the way round."""
    from skimage.measure import find_contours

    padded = np.pad(part, 1)
    (contour,) = find_contours(padded.astype(float), 0.5, fully_connected="high")
    # Every point of the contour lies between a pixel of the part and one that is not.
    low, high = np.floor(contour).astype(int), np.ceil(contour).astype(int)
    inside = np.where(padded[low[:, 0], low[:, 1]][:, None], low, high)
    moved = np.any(inside != np.roll(inside, 1, axis=0), axis=1)
    moved[0] |= not moved.any()
    traced: Points = inside[moved][:, ::-1] - 1
    return traced


def _corners(path: Points) -> Points:
    """A closed path without the points that its neighbours' line passes through."""
    if len(path) < 3:
        return path
    arriving, leaving = path - np.roll(path, 1, axis=0), np.roll(path, -1, axis=0) - path
    corners: Points = path[np.any(_direction(arriving) != _direction(leaving), axis=1)]
    return corners


def _direction(steps: Points) -> Points:
    """Steps as the shortest ones of their directions."""
    shortest: Points = steps // np.maximum(1, np.gcd(steps[:, 0], steps[:, 1]))[:, None]
    return shortest
