"""Flat things laid on curved surfaces: where something lies, and the surface around there unrolled."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from procgen.surface.layer import SurfacePoints

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Vector = tuple[float, float, float]

UNIT_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Anchor:
    """A place on a surface and a direction in it.

    origin: (3,) m, on the surface. normal: (3,) unit, outward. along: (3,) unit, in the surface: the local x axis; the
    local y axis is normal × along. Raises BlemishError for vectors that are not finite, unit or at right angles.
    """

    origin: Vector
    normal: Vector
    along: Vector

    def __post_init__(self) -> None:
        origin, normal, along = np.array(self.origin), np.array(self.normal), np.array(self.along)
        if not np.isfinite(np.concatenate([origin, normal, along])).all():
            raise BlemishError("anchor: found NaN or infinite coordinates; expected finite numbers, in metres")
        lengths = np.linalg.norm(normal), np.linalg.norm(along)
        if np.abs(np.array([*lengths, 1.0 + normal @ along]) - 1.0).max() > UNIT_TOLERANCE:
            raise BlemishError(
                f"anchor: found normal {self.normal} and direction {self.along}; expected unit vectors at right angles"
            )

    def unrolled(self, points: SurfacePoints, reach: float) -> tuple[Indices, Floats]:
        """The points that something of radius `reach` (m) laid down here can touch, and where they are on it.

        Returns indices (n,) and local x, y (n, 2) in metres: the surface's own lengths and directions from the origin,
        exactly on planes, spheres and cylinders, where the chord to a point and the turn of the normal on the way there
        tell the arc; nearly so wherever the curvature does not change much over the reach. What faces the other way, by
        a right angle and more, is not touched.
        """
        origin, normal, along = np.array(self.origin), np.array(self.normal), np.array(self.along)
        near = np.arange(len(points))
        for axis in range(3):
            coordinate = points.positions[near, axis]
            near = near[np.abs(coordinate - origin[axis]) <= reach]
        near = near[_dot(points.normals[near], normal) > 0.0]
        chord, bend = points.positions[near] - origin, points.normals[near] - normal

        # On a circle the normal turns towards the chord: |bend| = 2 sin(θ/2), and the arc is θ/2 / sin(θ/2) chords.
        half_sine = np.minimum(0.5 * np.sqrt(_dot(bend, bend)), 1.0)
        turned = half_sine > UNIT_TOLERANCE
        across = np.divide(bend, 2.0 * half_sine[:, np.newaxis], out=np.zeros_like(bend), where=turned[:, np.newaxis])
        stretch = np.divide(np.arcsin(half_sine), half_sine, out=np.ones_like(half_sine), where=turned)
        bent = _dot(chord, across)
        straight = chord - bent[:, np.newaxis] * across
        cosine = np.sqrt(np.maximum(1.0 - half_sine**2, 0.5))  # of θ/2: `across` leans so far out of the plane here
        here = np.where(turned, stretch * bent / cosine, 0.0)[:, np.newaxis] * across + straight
        local = np.stack([_dot(here, along), _dot(here, np.cross(normal, along))], axis=1)
        close = local[:, 0] ** 2 + local[:, 1] ** 2 <= reach**2
        return near[close], local[close]


def _dot(vectors: Floats, other: Floats) -> Floats:
    # Not by matrix product: BLAS rounds a row differently when other rows are asked for with it.
    x, y, z = np.moveaxis(vectors * other, -1, 0)
    result: Floats = x + y + z
    return result
