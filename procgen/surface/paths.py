"""Paths over a surface, and where points lie along and beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from procgen.surface.binning import boxes_around, near_pairs
from procgen.surface.layer import SurfacePoints

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

BOXES_PER_PATH = 64  # along its longer extent, to sort out the points that are nowhere near


@dataclass(frozen=True, eq=False)
class Path:
    """A polyline on a part; vertices: (V, 3) m, no two neighbours the same. Raises BlemishError for anything else."""

    vertices: Floats

    def __post_init__(self) -> None:
        shape = self.vertices.shape
        if len(shape) != 2 or shape[0] < 2 or shape[1] != 3 or not np.isfinite(self.vertices).all():
            raise BlemishError(f"path: found vertices of shape {shape}; expected two or more finite points, (V, 3) m")
        if not (self._lengths > 0.0).all():
            raise BlemishError("path: found the same vertex twice in a row; expected neighbours apart")

    @property
    def length(self) -> float:
        """From end to end along the path, m."""
        return float(self._lengths.sum())

    def beside(self, points: SurfacePoints, reach: float) -> tuple[Indices, Floats, Floats]:
        """The points within `reach` (m) of the path and beside it, not before its start or past its end.

        Returns their indices (n,), how far along the path the nearest place on it is, (n,) m, and how far away from it
        they lie, (n,) m, positive to the left of the path as seen from outside.
        """
        tail, head = self.vertices[:-1], self.vertices[1:]
        low, high = self.vertices.min(axis=0) - reach, self.vertices.max(axis=0) + reach
        near = np.arange(len(points))
        for axis in range(3):
            coordinate = points.positions[near, axis]
            near = near[(coordinate >= low[axis]) & (coordinate <= high[axis])]
        if not len(near):
            return near, np.empty(0), np.empty(0)
        lengths = self._lengths
        starts = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
        distance = np.full(len(near), np.inf)
        along, offset = np.zeros((2, len(near)))
        boxes = boxes_around(np.ascontiguousarray(points.positions[near].T), float((high - low).max()) / BOXES_PER_PATH)
        for point, edge in near_pairs(boxes, 0.5 * (tail + head), 0.5 * lengths + reach):
            forward = (head[edge] - tail[edge]) / lengths[edge, np.newaxis]
            away = points.positions[near[point]] - tail[edge]
            run = _dot(away, forward)
            aside = away - np.clip(run, 0.0, lengths[edge])[:, np.newaxis] * forward
            here = np.sqrt(_dot(aside, aside))
            is_beside = ((edge > 0) | (run >= 0.0)) & ((edge < len(tail) - 1) | (run <= lengths[edge]))
            closer = is_beside & (here < distance[point])
            chosen, segment = point[closer], edge[closer]
            distance[chosen] = here[closer]
            along[chosen] = starts[segment] + np.clip(run[closer], 0.0, lengths[segment])
            to_left = _dot(np.cross(points.normals[near[chosen]], forward[closer]), aside[closer]) >= 0.0
            offset[chosen] = np.where(to_left, 1.0, -1.0) * here[closer]
        within = distance <= reach
        return near[within], along[within], offset[within]

    @property
    def _lengths(self) -> Floats:
        result: Floats = np.linalg.norm(np.diff(self.vertices, axis=0), axis=1)
        return result


def arc(start: Sequence[float], length: float, heading: float, bend: float, steps: int = 48) -> Floats:
    """(steps + 1, 2) points of a circular arc on a chart: from `start` (m), `length` m long, turning by `bend` radians.

    heading: direction in radians halfway along. Neighbours lie equally far apart.
    """
    middle = (np.arange(steps) + 0.5) / steps - 0.5
    direction = heading + bend * middle
    step = length / steps * np.stack([np.cos(direction), np.sin(direction)], axis=1)
    return np.concatenate([[start], np.array(start) + np.cumsum(step, axis=0)])


def sagitta(length: float, bend: float) -> float:
    """How far (m) an arc of this length (m) that turns by `bend` radians strays from its chord, at most about."""
    return length * abs(bend) / 8


def _dot(one: Floats, other: Floats) -> Floats:
    # Not by matrix product: BLAS rounds a row differently when other rows are asked for with it.
    result: Floats = np.einsum("nk,nk->n", one, other)
    return result
