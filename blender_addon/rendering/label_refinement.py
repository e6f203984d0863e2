"""Labels of pixels whose centre falls on the border between two texels, settled in double precision.

Cycles computes in float32: where the ray through a pixel's centre meets the surface, it knows to about 1e-4 texels. A
label is in doubt only where another texel lies that near, which is so for a few pixels of a frame. For these the ray is
cast again, in float64, at the faces of the mesh that lie there.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scenes.camera.imaging import rays
from scenes.geometry.atlas import Mesh
from scenes.scene import Camera

Floats = NDArray[np.float64]
Labels = NDArray[np.uint16]

Ray = Callable[[int, int], tuple[Floats, Floats]]  # origin and direction, of any length, through a pixel's centre

DOUBT = 1e-3  # texels; ten times the rounding that was seen
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def refine_labels(
    labels: Labels, seen_uv: Floats, maps: Labels, mesh: Mesh, uvs: Floats, ray: Ray, doubt: float = DOUBT
) -> Labels:
    """`labels` with those in doubt looked up again.

    labels: (H, W, L) as Cycles read them, row 0 at the top. seen_uv: (H, W, 2) where it met the surface; negative
    elsewhere. maps: (rows, columns, L), row 0 at v = 0. uvs: (F, 4, 2) texture coordinates of the mesh's corners.
    ray: through the centre of the pixel of a row and a column, in the mesh's frame. doubt: how far off, in texels,
    Cycles may have seen the place.
    """
    result = labels.copy()
    reach = 2 * doubt / np.array([maps.shape[1], maps.shape[0]])
    for row, column in zip(*np.nonzero(in_doubt(seen_uv, maps, doubt)), strict=True):
        uv = cast(*ray(row, column), mesh, uvs, seen_uv[row, column], reach)
        if uv is not None:
            result[row, column] = look_up(maps, uv)
    return result


def in_doubt(seen_uv: Floats, maps: Labels, doubt: float = DOUBT) -> NDArray[np.bool_]:
    """(H, W): where texels of different labels lie within `doubt` texels of the place that was seen."""
    texels = np.array([maps.shape[1], maps.shape[0]])
    away = seen_uv * texels
    away -= np.rint(away)  # from the nearest border between texels
    near_border = (np.abs(away) < 2 * doubt).any(axis=-1)
    doubtful: NDArray[np.bool_] = near_border & (seen_uv >= 0).all(axis=-1)  # few are left to look up
    reach = doubt / texels
    around = [look_up(maps, seen_uv[doubtful] + reach * np.array(corner)) for corner in CORNERS]
    doubtful[doubtful] = np.any([(other != around[0]).any(axis=-1) for other in around[1:]], axis=0)
    return doubtful


def look_up(maps: Labels, uv: Floats) -> Labels:
    """The texels (..., L) that hold texture coordinates (..., 2); beyond the border, those at it."""
    rows, columns = maps.shape[:2]
    column = np.clip(np.floor(uv[..., 0] * columns).astype(int), 0, columns - 1)
    row = np.clip(np.floor(uv[..., 1] * rows).astype(int), 0, rows - 1)
    texels: Labels = maps[row, column]
    return texels


def pixel_ray(camera: Camera, row: int, column: int) -> tuple[Floats, Floats]:
    """(3,) where the ray through the centre of a pixel begins, and its direction, of any length."""
    origins, directions = rays(camera, np.array([[column + 0.5, row + 0.5]]))
    return origins[0], directions[0]


def cast(origin: Floats, direction: Floats, mesh: Mesh, uvs: Floats, seen_uv: Floats, reach: Floats) -> Floats | None:
    """Texture coordinates (2,) where a ray meets the faces within `reach` (2,) of `seen_uv`; None where it misses."""
    near = (uvs.min(axis=1) - reach <= seen_uv) & (seen_uv <= uvs.max(axis=1) + reach)
    nearest, found = np.inf, None
    for face in np.flatnonzero(near.all(axis=1)):
        count = np.count_nonzero(mesh.faces[face] >= 0)
        for second in range(1, count - 1):
            corners = [0, second, second + 1]
            triangle = mesh.vertices[mesh.faces[face, corners]]
            distance, weights = intersection(origin, direction, triangle)
            if distance < nearest:
                nearest, found = distance, weights @ uvs[face, corners]
    return found


def intersection(origin: Floats, direction: Floats, triangle: Floats) -> tuple[float, Floats]:
    """Distance along a ray to a triangle (3, 3), infinite where it passes by, and the barycentric weights (3,).

    Möller and Trumbore, "Fast, Minimum Storage Ray/Triangle Intersection", 1997.
    """
    edges = triangle[1:] - triangle[0]
    system = np.column_stack([-direction, edges[0], edges[1]])
    if abs(np.linalg.det(system)) < np.finfo(float).tiny:
        return np.inf, np.zeros(3)
    distance, first, second = np.linalg.solve(system, origin - triangle[0])
    weights = np.array([1 - first - second, first, second])
    return (float(distance) if distance > 0 and weights.min() >= -np.finfo(float).eps else np.inf), weights
