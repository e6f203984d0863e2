"""Meshes with a UV atlas whose texels know their position, normal and tangent."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from procgen.surface.layer import Finish, SurfaceMaps, SurfacePoints
from scenes.geometry.raster import touched

Floats = NDArray[np.float64]
Slopes = tuple[list[tuple[NDArray[np.int64], NDArray[np.int64]]], Floats, Floats, Floats]

INSPECTED = 0  # material index of faces that show the surface maps
BODY = 1  # material index of faces that carry no maps and no masks
LOCATE_GRID, LOCATE_STEPS = 200, 4  # chart points a side from which `locate` starts, and steps that it takes from there
LOCATE_MARGIN = 0.05  # of the chart's size, beyond its border
LOCATE_TOLERANCE = 1e-4  # of the chart's size; further off it, a position belongs to another chart
TEXTURE_SIDE_LIMIT = 8192  # texels; eight float maps of this size are 10 GB, beyond what a frame should need
# Texels evaluated beyond those that a face touches: the first for linear lookup at a border, the second so that the
# first has neighbours to take its slope from.
MARGIN = 2
REMEMBERED_POINTS = 4_000_000  # of a texture whose slopes are kept, at 88 bytes each, for the next frame


@dataclass(frozen=True, eq=False)
class Mesh:
    """Quadrilaterals and triangles, counter-clockwise seen from outside.

    vertices: (V, 3) float64, metres, frame of the part. faces: (F, 4) int64 vertex indices, the last one -1 for a
    triangle. uvs: (F, 4, 2) float64, 0 to 1 over the size of their chart on inspected faces, 0 elsewhere. materials:
    (F,) int64, INSPECTED or BODY. charts: (F,) int64, the chart of each inspected face.
    """

    vertices: Floats
    faces: NDArray[np.int64]
    uvs: Floats
    materials: NDArray[np.int64]
    charts: NDArray[np.int64]


class Chart(ABC):
    """An inspected surface, unrolled: (u, v) in metres from a corner, u to the right and v up.

    UV coordinates 0 to 1 of the mesh map linearly to 0 to `size`. `outline` is the chart's border, (K, 2) metres,
    counter-clockwise, where it is not that whole rectangle.
    """

    outline: Floats | None = None

    @property
    @abstractmethod
    def size(self) -> tuple[float, float]:
        """Extents along u and v, metres."""

    @abstractmethod
    def embed(self, uv: Floats) -> Floats:
        """(N, 2) metres on the chart to (N, 3) metres in the frame of the part; defined beyond the border, too."""

    @abstractmethod
    def normals(self, uv: Floats) -> Floats:
        """(N, 3) outward unit normals at (N, 2) chart points."""

    @abstractmethod
    def tangents(self, uv: Floats) -> Floats:
        """(N, 3) unit directions of growing u at (N, 2) chart points."""

    def locate(self, positions: Floats) -> Floats:
        """(N, 2) chart points in metres of (N, 3) positions: the inverse of `embed`, NaN for what lies on other charts.

        By Gauss-Newton steps from the nearest of a grid of chart points, unless a chart knows better.
        """
        from scipy.spatial import cKDTree

        size = np.array(self.size)
        steps = [np.linspace(-LOCATE_MARGIN, 1 + LOCATE_MARGIN, LOCATE_GRID) * extent for extent in size]
        grid = np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2)
        uv = grid[cKDTree(self.embed(grid)).query(positions)[1]]
        for _ in range(LOCATE_STEPS):
            here, step = self.embed(uv), 1e-6 * np.diag(size)
            along = (self.embed(uv + step[0]) - here) / step[0, 0]
            across = (self.embed(uv + step[1]) - here) / step[1, 1]
            away = positions - here
            a, b, c = (np.einsum("nk,nk->n", x, y) for x, y in ((along, along), (along, across), (across, across)))
            p, q = np.einsum("nk,nk->n", along, away), np.einsum("nk,nk->n", across, away)
            determinant = a * c - b * b
            scale = np.divide(1.0, determinant, out=np.zeros_like(a), where=determinant > 1e-12 * a * c)
            uv = uv + scale[:, None] * np.column_stack([c * p - b * q, a * q - b * p])
        miss = np.linalg.norm(self.embed(uv) - positions, axis=1)
        return np.where((miss <= LOCATE_TOLERANCE * size.max())[:, None], uv, np.nan)

    def covers(self, uv: Floats) -> NDArray[np.bool_]:
        """(N,) whether (N, 2) chart points lie on the part."""
        result: NDArray[np.bool_] = ((uv >= 0) & (uv <= np.array(self.size))).all(axis=1)
        return result

    def sampled(self, corner: tuple[float, float], spacing: float, at: NDArray[np.bool_]) -> SurfacePoints:
        """The points of a square grid where `at`, (rows, columns) bool, is True.

        corner: chart point at the outer corner of the first texel. spacing: metres between rows and columns.
        """
        row, column = np.nonzero(at)
        uv = np.column_stack([corner[0] + (column + 0.5) * spacing, corner[1] + (row + 0.5) * spacing])
        return SurfacePoints(self.embed(uv), self.normals(uv), self.tangents(uv), spacing=(spacing, spacing))

    def points(self, texel_size: float) -> SurfacePoints:
        """Centres of the texels of a texture whose texels are as near to `texel_size` (metres) as whole numbers allow.

        Row 0 lies at v = 0, column 0 at u = 0. Raises ValueError when a side would need more than TEXTURE_SIDE_LIMIT
        texels.
        """
        width, height = self.size
        columns, rows = (max(2, round(extent / texel_size)) for extent in (width, height))
        if max(columns, rows) > TEXTURE_SIDE_LIMIT:
            raise ValueError(
                f"texels of {texel_size * 1e6:g} um on {width * 1e3:g} x {height * 1e3:g} mm need a texture of "
                f"{columns} x {rows}; at most {TEXTURE_SIDE_LIMIT} a side are allowed"
            )
        u = (np.arange(columns) + 0.5) * (width / columns)
        v = (np.arange(rows) + 0.5) * (height / rows)
        uv = np.stack(np.broadcast_arrays(u[None, :], v[:, None]), axis=-1).reshape(-1, 2)
        return SurfacePoints(
            positions=self.embed(uv),
            normals=self.normals(uv),
            tangents=self.tangents(uv),
            shape=(rows, columns),
            spacing=(height / rows, width / columns),
        )


@dataclass(frozen=True, eq=False)
class Part:
    """A part ready to be shown: its mesh, and the charts of its inspected surface, the main one first."""

    mesh: Mesh
    charts: tuple[Chart, ...]
    coating: Callable[[Finish], Finish] | None = None  # what the part itself brings to its surface

    @property
    def surface(self) -> Chart:
        """The main chart."""
        return self.charts[0]

    @property
    def is_rectangle(self) -> bool:
        """Whether one chart without an outline is all there is; then the texture is that chart and nothing else."""
        return len(self.charts) == 1 and self.surface.outline is None

    def chart_areas(self) -> Floats:
        """(charts,) m² of each chart as seen from straight above, where the camera is."""
        triangles, chart = chart_triangles(self.mesh, self.mesh.vertices)
        a, b, c = triangles[..., 0, :2], triangles[..., 1, :2], triangles[..., 2, :2]
        twice = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        return np.bincount(chart, np.maximum(twice, 0) / 2, minlength=len(self.charts)).astype(np.float64)

    def coated(self, finish: Finish) -> Finish:
        """The finish with what the part itself brings to its surface."""
        return finish if self.coating is None else self.coating(finish)


@dataclass(frozen=True, eq=False)
class Texture:
    """The charts of a part packed into one texture.

    shape: (rows, columns). points: what to evaluate. texels: (N,) int64, which texel each point is, row-major; None
    where the points are the whole texture in order. uvs: (F, 4, 2), of the mesh's corners, 0 to 1 over the texture.
    origins: for each chart, the (row, column) of its point (0, 0), whole numbers.
    """

    shape: tuple[int, int]
    points: SurfacePoints
    texels: NDArray[np.int64] | None
    uvs: Floats
    origins: tuple[tuple[int, int], ...]

    def pasted(self, maps: SurfaceMaps) -> SurfaceMaps:
        """Maps of the texture from maps of its points; between the charts everything is 0 and normals are +z."""
        if self.texels is None:
            return maps
        pasted = {
            name: self.scattered(getattr(maps, name))
            for name in ("height", "base_colour", "roughness", "metallic", "classes", "defects", "impurities")
        }
        normal = np.zeros((*self.shape, 3), dtype=np.float32)
        normal[..., 2] = 1.0
        normal.reshape(-1, 3)[self.texels] = self._normals(maps.height)
        lay = None if maps.lay is None else self.scattered(maps.lay)
        return SurfaceMaps(**pasted, normal=normal, instances=maps.instances, lay=lay)

    def scattered(self, values: NDArray[Any], between: float = 0.0) -> NDArray[Any]:
        """(rows, columns, ...) of the texture from values of its points (N, ...), and one for what lies between."""
        if self.texels is None:
            return values.reshape(*self.shape, *values.shape[1:])
        spread = np.full((*self.shape, *values.shape[1:]), between, dtype=values.dtype)
        spread.reshape(-1, *values.shape[1:])[self.texels] = values
        return spread

    def _normals(self, height: NDArray[np.float32]) -> Floats:
        """(N, 3) unit normals, tilted by the slope of the height inside each chart.

        The steps between texels are taken from their positions, because not every chart is unrolled without stretch.
        """
        normals = self.points.normals
        few = len(normals) <= REMEMBERED_POINTS
        neighbours, across_v, across_u, area = self._remembered_slopes if few else self._slopes()
        rises = [(height[after].astype(np.float64) - height[before])[:, None] for before, after in neighbours]
        tilt = rises[0] * across_v + rises[1] * across_u
        with np.errstate(divide="ignore", invalid="ignore"):
            tilted = normals + np.where(area > 0, tilt / area, 0.0)
        result: Floats = tilted / np.linalg.norm(tilted, axis=1, keepdims=True)
        return result

    @cached_property
    def _remembered_slopes(self) -> Slopes:
        return self._slopes()

    def _slopes(self) -> Slopes:
        """What does not depend on the height.

        For u, then v: the points (N,) before and after each along that axis, itself where there is none. The tilts
        (N, 3) of a unit rise along u and along v, times the area (N, 1) between those neighbours, and that area.
        """
        assert self.texels is not None
        normals, positions = self.points.normals, self.points.positions
        index = np.full((self.shape[0] + 2, self.shape[1] + 2), -1, dtype=np.int64)
        row, column = self.texels // self.shape[1] + 1, self.texels % self.shape[1] + 1
        index[row, column] = here = np.arange(len(self.texels))
        neighbours, steps = [], []
        for axis in (1, 0):
            before, after = (index[row + way * (axis == 0), column + way * (axis == 1)] for way in (-1, 1))
            before, after = np.where(before < 0, here, before), np.where(after < 0, here, after)
            step = positions[after] - positions[before]
            neighbours.append((before, after))
            steps.append(step - np.einsum("nk,nk->n", step, normals)[:, None] * normals)
        along_u, along_v = steps
        area = np.einsum("nk,nk->n", np.cross(along_u, along_v), normals)[:, None]
        return neighbours, np.cross(normals, along_v), np.cross(along_u, normals), area


@lru_cache(maxsize=2)
def texture(part: Part, texel_size: float) -> Texture:
    """Pack the charts of a part into one texture with texels of `texel_size` metres.

    Texels that no face touches get no mask; as many of them as lookup needs are evaluated beyond each border, and the
    charts lie so far apart that no lookup mixes two. Raises BlemishError where more than TEXTURE_SIDE_LIMIT texels
    would be needed on a side.
    """
    if part.is_rectangle:
        points = part.surface.points(texel_size)
        assert points.shape is not None
        return Texture(points.shape, points, None, part.mesh.uvs, ((0, 0),))
    from scipy.ndimage import binary_dilation

    sides = np.array([chart.size for chart in part.charts]) / texel_size
    boxes = np.ceil(sides[:, ::-1]).astype(np.int64) + 2 * MARGIN + 1  # rows, columns; one texel between neighbours
    corners, shape = packed(boxes)
    if max(shape) > TEXTURE_SIDE_LIMIT:
        raise BlemishError(
            f"texels of {texel_size * 1e6:.3g} um on this part need a texture of {shape[1]} x {shape[0]}; at most "
            f"{TEXTURE_SIDE_LIMIT} a side are allowed: use a larger texel_um, or fewer pixels"
        )
    uvs = np.zeros_like(part.mesh.uvs)
    uv_triangles, chart_of = chart_triangles(part.mesh, part.mesh.uvs)
    gathered: list[SurfacePoints] = []
    texels, on_part = [], []
    dilation = np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), dtype=bool)
    for number, (chart, corner, box) in enumerate(zip(part.charts, corners, boxes, strict=True)):
        of_chart = (part.mesh.charts == number) & (part.mesh.materials == INSPECTED)
        uvs[of_chart] = (part.mesh.uvs[of_chart] * sides[number] + corner[::-1] + MARGIN) / (shape[1], shape[0])
        held = touched(uv_triangles[chart_of == number] * sides[number] + MARGIN, (int(box[0]), int(box[1])))
        needed = binary_dilation(held, dilation)
        needed[-1, :] = needed[:, -1] = False  # the gap
        row, column = np.nonzero(needed)
        gathered.append(chart.sampled((-MARGIN * texel_size, -MARGIN * texel_size), texel_size, needed))
        texels.append((row + corner[0]) * shape[1] + column + corner[1])
        on_part.append(held[needed])
    points = SurfacePoints(
        np.concatenate([some.positions for some in gathered]),
        np.concatenate([some.normals for some in gathered]),
        np.concatenate([some.tangents for some in gathered]),
        spacing=(texel_size, texel_size),
        on_part=np.concatenate(on_part),
    )
    origins = tuple((int(row) + MARGIN, int(column) + MARGIN) for row, column in corners)
    return Texture(shape, points, np.concatenate(texels), uvs, origins)


def packed(boxes: NDArray[np.int64]) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Lay (B, 2) boxes of (rows, columns) on shelves: their (B, 2) lower corners, and the (rows, columns) of all."""
    total = float((boxes[:, 0] * boxes[:, 1]).sum())
    columns = max(int(boxes[:, 1].max()), int(np.sqrt(total) * 1.1))
    corners = np.zeros_like(boxes)
    row = column = shelf = 0
    for number in np.lexsort((np.arange(len(boxes)), -boxes[:, 1], -boxes[:, 0])):
        if column + boxes[number, 1] > columns:
            row, column, shelf = row + shelf, 0, 0
        corners[number] = row, column
        column += int(boxes[number, 1])
        shelf = max(shelf, int(boxes[number, 0]))
    return corners, (int(row + shelf), int((corners + boxes)[:, 1].max()))


def chart_triangles(mesh: Mesh, corner_values: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """The inspected faces as triangles: (T, 3, K) values of their corners, and the chart of each.

    corner_values: (V, K) of the vertices, or (F, 4, K) of the corners.
    """
    inspected = np.flatnonzero(mesh.materials == INSPECTED)
    faces = mesh.faces[inspected]
    values = corner_values[inspected] if corner_values.ndim == 3 else corner_values[faces]
    quads = faces[:, 3] >= 0
    triangles = np.concatenate([values[:, [0, 1, 2]], values[quads][:, [0, 2, 3]]])
    return triangles, np.concatenate([mesh.charts[inspected], mesh.charts[inspected][quads]])


def extruded(profile: Floats, v_extent: float, u: Floats | None = None) -> Mesh:
    """A closed body swept along y from -v_extent/2 to v_extent/2; its upper side is the inspected surface.

    profile: (2, K, 2) metres: K points (x, z) of the upper outline from left to right, then the K points of the lower
    outline beneath them. u: (K,) of the points, 0 to 1; at equal steps where it is not given.
    """
    count = profile.shape[1]
    y = np.array([-v_extent / 2, v_extent / 2])
    # index(side, end, k): side 0 upper, 1 lower; end 0 at -y, 1 at +y
    vertices = np.empty((2, 2, count, 3))
    vertices[..., 0] = profile[:, None, :, 0]
    vertices[..., 1] = y[None, :, None]
    vertices[..., 2] = profile[:, None, :, 1]
    index = np.arange(4 * count).reshape(2, 2, count)
    left, right = slice(None, -1), slice(1, None)

    def quads(*corners: NDArray[np.int64]) -> NDArray[np.int64]:
        result: NDArray[np.int64] = np.stack(np.broadcast_arrays(*corners), axis=-1).reshape(-1, 4)
        return result

    upper = quads(index[0, 0, left], index[0, 0, right], index[0, 1, right], index[0, 1, left])
    faces = np.concatenate(
        [
            upper,
            quads(index[1, 0, left], index[1, 1, left], index[1, 1, right], index[1, 0, right]),
            quads(index[1, 0, left], index[1, 0, right], index[0, 0, right], index[0, 0, left]),
            quads(index[0, 1, left], index[0, 1, right], index[1, 1, right], index[1, 1, left]),
            quads(index[0, 0, 0], index[0, 1, 0], index[1, 1, 0], index[1, 0, 0]),
            quads(index[0, 0, -1], index[1, 0, -1], index[1, 1, -1], index[0, 1, -1]),
        ]
    )
    if u is None:
        u = np.linspace(0, 1, count)
    uvs = np.zeros((len(faces), 4, 2))
    uvs[: len(upper), :, 0] = np.stack([u[left], u[right], u[right], u[left]], axis=-1)
    uvs[: len(upper), :, 1] = [0, 0, 1, 1]
    materials = np.full(len(faces), BODY)
    materials[: len(upper)] = INSPECTED
    return Mesh(vertices.reshape(-1, 3), faces, uvs, materials, np.zeros(len(faces), dtype=np.int64))
