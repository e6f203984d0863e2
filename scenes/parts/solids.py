"""What parametric parts are made of: charts given by a formula, and bodies sewn together from grids of points."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scenes.geometry.atlas import BODY, INSPECTED, Chart, Floats, Mesh, Part

Formula = Callable[[Floats], Floats]

SAGITTA = 2e-7  # m; how far the facets of a mesh may lie beneath the true surface
STEP = 1e-6  # m; over which the normals of a formula are taken
SEWING = 1e-9  # m; points nearer than that are one vertex
LYING = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # turns the z axis to +x, and +y upwards


@dataclass(frozen=True, eq=False)
class FormulaChart(Chart):
    """A chart whose positions a formula gives: (N, 2) metres on the chart to (N, 3) metres on the part.

    The formula must hold beyond the border too. outline, holes: borders where they are not the rectangle of `extent`.
    """

    extent: tuple[float, float]
    place: Formula
    outline: Floats | None = None
    holes: tuple[Floats, ...] = ()

    @property
    def size(self) -> tuple[float, float]:
        return self.extent

    def embed(self, uv: Floats) -> Floats:
        return self.place(uv)

    def _along(self, uv: Floats, axis: int) -> Floats:
        step = STEP * np.eye(2)[axis]
        return self.place(uv + step) - self.place(uv - step)

    def normals(self, uv: Floats) -> Floats:
        return _unit(np.cross(self._along(uv, 0), self._along(uv, 1)))

    def tangents(self, uv: Floats) -> Floats:
        return _unit(self._along(uv, 0))

    def covers(self, uv: Floats) -> NDArray[np.bool_]:
        within = super().covers(uv)
        if self.outline is not None:
            within &= in_polygon(uv, self.outline)
        for hole in self.holes:
            within &= ~in_polygon(uv, hole)
        return within


@dataclass(frozen=True, eq=False)
class Relief(FormulaChart):
    """The upper side of a body, seen from above; low: (2,) x and y of its corner."""

    low: Floats = field(default_factory=lambda: np.zeros(2))

    def loops(self, *loops: Floats) -> Floats:
        """(M, K, 2) chart points of M loops (K, 2) in x and y, the outer one first."""
        return np.stack(loops) - self.low


def relief(outline: Floats, elevation: Formula, holes: tuple[Floats, ...] = ()) -> Relief:
    """The surface z = elevation((N, 2) x and y) within an outline (K, 2) of x and y and without `holes`."""
    low, high = outline.min(axis=0), outline.max(axis=0)

    def place(uv: Floats) -> Floats:
        return np.column_stack([uv + low, elevation(uv + low)])

    width, height = (high - low).tolist()
    return Relief((width, height), place, outline - low, tuple(hole - low for hole in holes), low)


def flat(xy: Floats) -> Floats:
    """The elevation of a flat side."""
    return np.zeros(len(xy))


def revolved(
    profile: Formula, length: float, radius: float, angles: tuple[float, float], pose: Formula | None = None
) -> FormulaChart:
    """A surface about the z axis: v runs along its profile, (N,) metres to (N, 2) of radius and z; u around it.

    u is the arc length on a circle of `radius` from the first of `angles` to the second, counter-clockwise seen from
    +z; the outer side lies left of the profile as the surface is seen. pose: what then moves the part.
    """

    def place(uv: Floats) -> Floats:
        angle = angles[0] + uv[:, 0] / radius
        r, z = profile(uv[:, 1]).T
        placed = np.column_stack([r * np.cos(angle), r * np.sin(angle), z])
        return placed if pose is None else pose(placed)

    return FormulaChart((radius * (angles[1] - angles[0]), length), place)


def straight(start: tuple[float, float], end: tuple[float, float]) -> tuple[Formula, float]:
    """The profile from one (radius, z) to another, and its length."""
    a, b = np.array(start), np.array(end)
    length = float(np.linalg.norm(b - a))
    return (lambda along: a + (b - a) * (along / length)[:, None]), length


def lying(drop: float) -> Formula:
    """Lay a body that was built about the z axis along x, and lower it by `drop` metres."""

    def pose(points: Floats) -> Floats:
        result: Floats = points @ LYING.T - [0.0, 0.0, drop]
        return result

    return pose


@dataclass
class Body:
    """Faces as they are sewn together."""

    charts: list[Chart] = field(default_factory=list)
    quads: list[Floats] = field(default_factory=list)
    uvs: list[Floats] = field(default_factory=list)
    chart_of: list[NDArray[np.int64]] = field(default_factory=list)

    def cover(self, grid: Floats) -> None:
        """Faces that are not inspected over a grid of points, (M, K, 3): outside where columns × rows point."""
        self._add(_quads(grid), np.zeros((*_quads(grid).shape[:2], 2)), -1)

    def inspect(self, chart: Chart, uv: Floats) -> None:
        """Inspected faces over a grid of chart points, (M, K, 2) metres, whose rows need not be straight."""
        if chart not in self.charts:
            self.charts.append(chart)
        grid = chart.embed(uv.reshape(-1, 2)).reshape(*uv.shape[:2], 3)
        self._add(_quads(grid), _quads(uv) / np.array(chart.size), self.charts.index(chart))

    def _add(self, quads: Floats, uvs: Floats, chart: int) -> None:
        self.quads.append(quads)
        self.uvs.append(uvs)
        self.chart_of.append(np.full(len(quads), chart, dtype=np.int64))

    def part(self) -> Part:
        """The part, its largest chart first."""
        mesh = self.mesh()
        order = sorted(range(len(self.charts)), key=lambda number: -math.prod(self.charts[number].size))
        rank = np.argsort(order)
        return Part(replace(mesh, charts=rank[mesh.charts]), tuple(self.charts[number] for number in order))

    def mesh(self) -> Mesh:
        """The mesh, its points sewn into vertices; faces that have shrunk to a triangle are one, to a line are none."""
        corners = np.concatenate(self.quads).reshape(-1, 3)
        _, first, index = np.unique(np.round(corners / SEWING), axis=0, return_index=True, return_inverse=True)
        faces, uvs = index.reshape(-1, 4).astype(np.int64), np.concatenate(self.uvs)
        chart_of = np.concatenate(self.chart_of)
        repeats = faces == np.roll(faces, -1, axis=1)
        for corner in range(4):  # a corner that equals its successor goes, the rest moves up
            lost = repeats[:, corner]
            keep = [k for k in range(4) if k != corner]
            faces[lost] = np.column_stack([faces[lost][:, keep], np.full(lost.sum(), -1)])
            uvs[lost] = np.concatenate([uvs[lost][:, keep], np.zeros((lost.sum(), 1, 2))], axis=1)
        whole = (repeats.sum(axis=1) < 2) & (faces[:, 0] != faces[:, 2]) & (faces[:, 1] != faces[:, 3])
        used, faces = np.unique(faces[whole], return_inverse=True)
        faces = faces.reshape(-1, 4)
        if used[0] < 0:
            used, faces = used[1:], faces - 1
        return Mesh(
            vertices=corners[first][used],
            faces=faces.astype(np.int64),
            uvs=uvs[whole],
            materials=np.where(chart_of[whole] >= 0, INSPECTED, BODY),
            charts=np.maximum(chart_of[whole], 0),
        )


def _quads(grid: Floats) -> Floats:
    """(F, 4, K) corners of the cells of an (M, N, K) grid: along a row first, then up."""
    cells = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], axis=2)
    result: Floats = cells.reshape(-1, 4, grid.shape[2])
    return result


def rectangle(chart: Chart, columns: int, rows: int = 1) -> Floats:
    """(rows + 1, columns + 1, 2) points of a whole rectangular chart."""
    u, v = np.linspace(0, chart.size[0], columns + 1), np.linspace(0, chart.size[1], rows + 1)
    return np.stack(np.broadcast_arrays(u[None, :], v[:, None]), axis=-1)


def lifted(loop: Floats, z: float) -> Floats:
    """A loop (K, 2) at one height, (K, 3)."""
    return np.column_stack([loop, np.full(len(loop), z)])


def circle(radius: float, angles: Floats, centre: tuple[float, float] = (0.0, 0.0)) -> Floats:
    result: Floats = np.column_stack([np.cos(angles), np.sin(angles)]) * radius + np.array(centre)
    return result


def turn(radius: float, extra: Floats | None = None) -> Floats:
    """Angles of one full turn, both ends, so near that a circle's facets keep to SAGITTA; `extra`: angles to hit."""
    angles = np.linspace(0, 2 * math.pi, arc_steps(radius, 2 * math.pi) + 1)
    if extra is None:
        return angles
    merged = np.unique(np.concatenate([angles, np.mod(extra, 2 * math.pi)]))
    result: Floats = merged[np.concatenate([[True], np.diff(merged) > 1e-9])]
    return result


def distinct(values: Floats) -> Floats:
    """The values in rising order, each as it is but once: those that rounding alone parts are one."""
    ordered = np.sort(values)
    result: Floats = ordered[np.concatenate([[True], np.diff(ordered) > SEWING / 10])]
    return result


def arc_steps(radius: float, angle: float) -> int:
    """How many facets an arc needs."""
    return max(8, math.ceil(angle / (2 * math.acos(1 - min(SAGITTA / radius, 1)))))


def in_polygon(points: Floats, polygon: Floats) -> NDArray[np.bool_]:
    """(N,) whether (N, 2) points lie within a (K, 2) polygon: how often a ray towards +x crosses it."""
    inside = np.zeros(len(points), dtype=bool)
    following = np.roll(polygon, -1, axis=0)
    for (x0, y0), (x1, y1) in zip(polygon.tolist(), following.tolist(), strict=True):
        if y0 != y1:
            spans = (y0 > points[:, 1]) != (y1 > points[:, 1])
            inside ^= spans & (points[:, 0] < x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _unit(vectors: Floats) -> Floats:
    result: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result
