"""Meshes unwrapped into charts whose texels know where on the mesh they lie."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from procgen.surface.layer import SurfacePoints
from scenes.geometry.atlas import INSPECTED, LOCATE_TOLERANCE, Chart, Floats, Mesh, Part
from scenes.geometry.raster import owners
from scenes.geometry.surfaces import Indices, Surface

SHARP_EDGE = np.cos(np.radians(35))  # cosine between the normals of two faces over which shading is not smoothed
SLIVER = 1e-5  # height over base of a triangle too thin to place texels by
BRUTE_FORCE = 2_000_000  # pairs of points and triangles compared at a time
NEAREST = 48  # triangles looked at around a point on a larger mesh
FEW_NEAREST = 4  # that are looked at first: most points lie in one of them
WELL_WITHIN = 1e-9  # barycentric coordinates of a point that lies in no other triangle, nor on the border of its own
REACH = 0.5  # of the chart's size, about its mesh: what lies further off is on another chart


@lru_cache(maxsize=2)
def unwrapped(surface: Surface) -> Part:
    """The part that a mesh makes: all of it is inspected."""
    import xatlas

    triangles = surface.vertices[surface.faces]
    normals = smooth_normals(surface)
    scale = float(np.ptp(surface.vertices, axis=0).max())
    atlas = xatlas.Atlas()
    atlas.add_mesh((surface.vertices / scale).astype(np.float32), surface.faces.astype(np.uint32))
    atlas.generate()
    _, faces, uv = atlas[0]
    corners = (uv * [atlas.width, atlas.height])[faces].astype(np.float64)
    chart_of = connected(faces.astype(np.int64))
    charts: list[Chart] = []
    uvs = np.zeros((len(faces), 4, 2))
    for number in range(int(chart_of.max()) + 1):
        mine = np.flatnonzero(chart_of == number)
        chart = MeshChart.of(corners[mine], triangles[mine], normals[mine])
        extent = np.array(chart.size)
        uvs[mine, :3] = chart.flat / np.where(extent > 0, extent, 1.0)  # 0 of slivers, which hold a texel's part
        charts.append(chart)
    largest = np.argsort([-chart.size[0] * chart.size[1] for chart in charts], kind="stable")
    mesh = Mesh(
        vertices=surface.vertices,
        faces=np.column_stack([surface.faces, np.full(len(faces), -1)]),
        uvs=uvs,
        materials=np.full(len(faces), INSPECTED),
        charts=np.argsort(largest)[chart_of],
    )
    return Part(mesh, tuple(charts[number] for number in largest))


def connected(faces: Indices) -> Indices:
    """(F,) a number from 0 for each face, the same for those that share vertices over any number of steps."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = int(faces.max()) + 1
    rows, columns = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    joined = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    _, of_vertex = connected_components(joined, directed=False)
    result: Indices = np.unique(of_vertex[faces[:, 0]], return_inverse=True)[1].reshape(-1).astype(np.int64)
    return result


def smooth_normals(surface: Surface) -> Floats:
    """(F, 3, 3) unit normals at the faces' corners: the mean over the faces there that meet without a sharp edge."""
    from scipy.sparse import coo_matrix

    a, b, c = surface.vertices[surface.faces].transpose(1, 0, 2)
    weighted = np.cross(b - a, c - a)
    unit = weighted / np.linalg.norm(weighted, axis=1, keepdims=True)
    corner = np.arange(surface.faces.size)
    at_vertex = coo_matrix(
        (np.ones(len(corner)), (surface.faces.ravel(), corner // 3)), shape=(len(surface.vertices), len(unit))
    ).tocsr()
    meets = at_vertex[surface.faces.ravel()].tocoo()
    smooth = np.einsum("nk,nk->n", unit[meets.row // 3], unit[meets.col]) >= SHARP_EDGE
    row, face = meets.row[smooth], meets.col[smooth]
    total = np.stack([np.bincount(row, weighted[face, axis], minlength=len(corner)) for axis in range(3)], axis=1)
    result: Floats = (total / np.linalg.norm(total, axis=1, keepdims=True)).reshape(-1, 3, 3)
    return result


@dataclass(frozen=True, eq=False)
class MeshChart(Chart):
    """A piece of a mesh, unwrapped: flat (T, 3, 2) m; solid (T, 3, 3) m; corner normals (T, 3, 3)."""

    flat: Floats
    solid: Floats
    corner_normals: Floats
    outline: Floats | None

    @classmethod
    def of(cls, corners: Floats, solid: Floats, corner_normals: Floats) -> "MeshChart":
        """The chart of triangles unwrapped to `corners` (T, 3, 2) in any unit and either handedness."""
        twice = _cross(corners)
        if twice.sum() < 0:
            corners = corners * [-1.0, 1.0]
        area = np.linalg.norm(np.cross(solid[:, 1] - solid[:, 0], solid[:, 2] - solid[:, 0]), axis=1).sum()
        flat = corners * np.sqrt(area / max(np.abs(twice).sum(), np.finfo(float).tiny))
        flat = flat - flat.reshape(-1, 2).min(axis=0)
        return cls(flat, solid, corner_normals, border(flat))

    @property
    def size(self) -> tuple[float, float]:
        width, height = self.flat.reshape(-1, 2).max(axis=0).tolist()
        return width, height

    def embed(self, uv: Floats) -> Floats:
        triangle, weights = self._located(uv)
        result: Floats = np.einsum("nk,nkj->nj", weights, self.solid[triangle])
        return result

    def locate(self, positions: Floats) -> Floats:
        """See `Chart.locate`: by the triangle in whose plane a position lies, and best within it.

        Where `embed` takes another triangle there, in the general way.
        """
        uv = np.full((len(positions), 2), np.nan)
        extent = max(self.size)
        corners = self.solid.reshape(-1, 3)
        low, high = corners.min(axis=0) - REACH * extent, corners.max(axis=0) + REACH * extent
        within = np.flatnonzero(((positions >= low) & (positions <= high)).all(axis=1))
        triangle, weights = self._beneath(positions[within], LOCATE_TOLERANCE * extent)
        found = triangle >= 0
        within = within[found]
        uv[within] = np.einsum("nk,nkj->nj", weights[found], self.flat[triangle[found]])
        miss = np.linalg.norm(self.embed(uv[within]) - positions[within], axis=1)
        other = within[miss > LOCATE_TOLERANCE * extent]
        if other.size:
            uv[other] = super().locate(positions[other])
        return uv

    def _beneath(self, positions: Floats, tolerance: float) -> tuple[Indices, Floats]:
        """For each of (N, 3) positions the triangle in whose plane it lies, within m, and its barycentric coordinates.

        Of several the one that holds it best; -1 where there is none.
        """
        whole = np.flatnonzero(~self._slivers())
        origin = self.solid[whole, 0]
        sides = self.solid[whole, 1:] - origin[:, None]
        normals = np.cross(sides[:, 0], sides[:, 1])
        square = np.einsum("tk,tk->t", normals, normals)[:, None]
        square = np.where(square > 0, square, 1.0)
        upright = normals / np.sqrt(square)
        rises = np.cross(sides[:, 1], normals) / square, np.cross(normals, sides[:, 0]) / square
        best, weights = np.full(len(positions), -1), np.zeros((len(positions), 3))

        def judge(some: Indices, near: Indices) -> NDArray[np.bool_]:
            away = positions[some][:, None] - origin[near]
            height = np.abs(np.einsum("nqj,nqj->nq", upright[near], away))
            second, third = (np.einsum("nqj,nqj->nq", rise[near], away) for rise in rises)
            least = np.where(height <= tolerance, np.minimum(np.minimum(1 - second - third, second), third), -np.inf)
            row, choice = np.arange(len(some)), least.argmax(axis=1)
            second, third = second[row, choice], third[row, choice]
            best[some] = np.where(height[row, choice] <= tolerance, whole[near[row, choice]], -1)
            weights[some] = np.stack([1 - second - third, second, third], axis=1)
            result: NDArray[np.bool_] = least[row, choice] > WELL_WITHIN
            return result

        _judge_nearest(self.solid[whole].mean(axis=1), positions, judge)
        return best, weights

    def normals(self, uv: Floats) -> Floats:
        return self._normals(*self._located(uv))

    def tangents(self, uv: Floats) -> Floats:
        triangle, weights = self._located(uv)
        return self._tangents(triangle, self._normals(triangle, weights))

    def covers(self, uv: Floats) -> NDArray[np.bool_]:
        result: NDArray[np.bool_] = self._located(uv)[1].min(axis=1) >= -1e-9
        return result

    def sampled(self, corner: tuple[float, float], spacing: float, at: NDArray[np.bool_]) -> SurfacePoints:
        from scipy.ndimage import distance_transform_edt

        whole = np.flatnonzero(~self._slivers())
        owner = owners((self.flat[whole] - np.array(corner)) / spacing, (at.shape[0], at.shape[1]))
        nearest = distance_transform_edt(owner < 0, return_distances=False, return_indices=True)
        row, column = np.nonzero(at)
        triangle = whole[owner[tuple(nearest)][row, column]]
        uv = np.column_stack([corner[0] + (column + 0.5) * spacing, corner[1] + (row + 0.5) * spacing])
        weights = self._weights(uv, triangle)
        normals = self._normals(triangle, weights)
        positions = np.einsum("nk,nkj->nj", weights, self.solid[triangle])
        return SurfacePoints(positions, normals, self._tangents(triangle, normals), spacing=(spacing, spacing))

    def _slivers(self) -> NDArray[np.bool_]:
        """(T,) triangles too thin to carry a texel's place; none of them where all are."""
        side = self.flat - np.roll(self.flat, -1, axis=1)
        thin = _cross(self.flat) <= SLIVER * (side**2).sum(axis=2).max(axis=1)
        result: NDArray[np.bool_] = thin & ~thin.all()
        return result

    def _weights(self, uv: Floats, triangle: Indices) -> Floats:
        """(N, 3) barycentric coordinates of points in the plane of their triangles, also outside of these."""
        a, b, c = self.flat[triangle].transpose(1, 0, 2)
        twice = _cross(self.flat)[triangle]
        twice = np.where(np.abs(twice) < np.finfo(float).tiny, 1.0, twice)
        second = ((uv - a)[:, 0] * (c - a)[:, 1] - (uv - a)[:, 1] * (c - a)[:, 0]) / twice
        third = ((b - a)[:, 0] * (uv - a)[:, 1] - (b - a)[:, 1] * (uv - a)[:, 0]) / twice
        return np.stack([1 - second - third, second, third], axis=1)

    def _normals(self, triangle: Indices, weights: Floats) -> Floats:
        within = np.clip(weights, 0, 1)
        normals = np.einsum("nk,nkj->nj", within, self.corner_normals[triangle])
        result: Floats = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        return result

    def _tangents(self, triangle: Indices, normals: Floats) -> Floats:
        """The direction of growing u in the plane of each triangle, made perpendicular to the normals."""
        flat, solid = self.flat[triangle], self.solid[triangle]
        bv, cv = flat[:, 1, 1] - flat[:, 0, 1], flat[:, 2, 1] - flat[:, 0, 1]
        along: Floats = cv[:, None] * (solid[:, 1] - solid[:, 0]) - bv[:, None] * (solid[:, 2] - solid[:, 0])
        along = along - np.einsum("nk,nk->n", along, normals)[:, None] * normals
        length = np.linalg.norm(along, axis=1, keepdims=True)
        other = np.cross(normals, np.eye(3)[np.argmin(np.abs(normals), axis=1)])
        other /= np.linalg.norm(other, axis=1, keepdims=True)
        return np.where(length > 0, along / np.where(length > 0, length, 1.0), other)

    def _located(self, uv: Floats) -> tuple[Indices, Floats]:
        """The triangle that holds each of (N, 2) points, or the nearest by barycentric coordinates, and these."""
        whole = np.flatnonzero(~self._slivers())
        best, weights = np.empty(len(uv), dtype=np.int64), np.empty((len(uv), 3))

        def judge(some: Indices, near: Indices) -> NDArray[np.bool_]:
            candidates = whole[near]
            points = np.repeat(uv[some], candidates.shape[1], axis=0)
            coordinates = self._weights(points, candidates.ravel()).reshape(*candidates.shape, 3)
            row, choice = np.arange(len(some)), coordinates.min(axis=2).argmax(axis=1)
            best[some], weights[some] = candidates[row, choice], coordinates[row, choice]
            result: NDArray[np.bool_] = weights[some].min(axis=1) > WELL_WITHIN
            return result

        _judge_nearest(self.flat[whole].mean(axis=1), uv, judge)
        return best, weights


def _judge_nearest(centres: Floats, points: Floats, judge: Callable[[Indices, Indices], NDArray[np.bool_]]) -> None:
    """Have `judge` look at the few nearest of (T, K) centres to each of (N, K) points, and else at many of them.

    judge: of (n,) numbers of points and (n, q) numbers of centres, whether each point is settled by these.
    """
    from scipy.spatial import cKDTree

    tree, left = cKDTree(centres), np.arange(len(points))
    for count in sorted({min(FEW_NEAREST, len(centres)), min(NEAREST, len(centres))}):
        step = max(1, BRUTE_FORCE // count)
        unsettled = []
        for some in np.split(left, range(step, len(left), step)):
            if count == len(centres):
                near = np.broadcast_to(np.arange(count), (len(some), count))
            else:
                near = tree.query(points[some], k=[*range(1, count + 1)])[1]
            unsettled.append(some[~judge(some, near)])
        left = np.concatenate(unsettled)


def border(flat: Floats) -> Floats:
    """(K, 2) the longest closed border of flat triangles (T, 3, 2), counter-clockwise round them."""
    _, index = np.unique(flat.reshape(-1, 2), axis=0, return_inverse=True)
    corner = index.reshape(-1, 3)
    starts, ends = corner.ravel(), np.roll(corner, -1, axis=1).ravel()
    place = {int(i): flat.reshape(-1, 2)[k] for k, i in enumerate(corner.ravel())}
    directed = set(zip(starts.tolist(), ends.tolist(), strict=True))
    following = {start: end for start, end in directed if (end, start) not in directed}
    longest = np.zeros((0, 2))
    while following:
        first, loop = next(iter(sorted(following))), []
        here = first
        while here in following:
            loop.append(here)
            here = following.pop(here)
        points = np.array([place[i] for i in loop])
        if len(points) > 2 and np.ptp(points, axis=0).sum() > (np.ptp(longest, axis=0).sum() if len(longest) else 0):
            longest = points
    return longest if len(longest) else flat[0]


def _cross(corners: Floats) -> Floats:
    """(T,) twice the signed area of triangles (T, 3, 2)."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    result: Floats = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    return result
