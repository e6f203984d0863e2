"""Where on a part the pixels of its picture lie: the rays through them, met with its mesh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes.camera.imaging import rays
from scenes.geometry.atlas import Part, chart_triangles
from scenes.scene import Camera

Floats = NDArray[np.float64]
AT_A_TIME = 500_000  # pairs of rays and triangles
ON_EDGE = 1e-9  # barycentric: a ray along an edge meets one of its two triangles


def sighted(part: Part, camera: Camera, pixels: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Which chart of the part is seen at points (N, 2), column and row, and where on it, 0 to 1 over its size.

    -1 and NaN where a ray passes the inspected surface by. By Möller and Trumbore's intersection.
    """
    triangles, chart_of = chart_triangles(part.mesh, part.mesh.vertices)
    places, _ = chart_triangles(part.mesh, part.mesh.uvs)
    charts, uv = np.full(len(pixels), -1), np.full((len(pixels), 2), np.nan)
    first = triangles[:, 0]
    along, across = triangles[:, 1] - first, triangles[:, 2] - first
    step = max(1, AT_A_TIME // max(1, len(triangles)))
    for start in range(0, len(pixels), step):
        origins, directions = rays(camera, pixels[start : start + step])
        apart = origins[:, None] - first
        turned, normal = np.cross(apart, along), np.cross(directions[:, None], across)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1.0 / np.einsum("ntk,tk->nt", normal, along)
            second = inverse * (normal * apart).sum(axis=-1)
            third = inverse * (directions[:, None] * turned).sum(axis=-1)
            far = inverse * np.einsum("ntk,tk->nt", turned, across)
            met = (second >= -ON_EDGE) & (third >= -ON_EDGE) & (second + third <= 1 + ON_EDGE) & (far > 0)
        far = np.where(met, far, np.inf)
        nearest = far.argmin(axis=1)
        here = np.flatnonzero(np.isfinite(far[np.arange(len(far)), nearest]))
        triangle = nearest[here]
        b, c = second[here, triangle][:, None], third[here, triangle][:, None]
        charts[start + here] = chart_of[triangle]
        corners = places[triangle]
        uv[start + here] = (1 - b - c) * corners[:, 0] + b * corners[:, 1] + c * corners[:, 2]
    return charts, uv
