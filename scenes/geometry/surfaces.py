"""Surfaces that can be a part: a mesh put under the camera, sewn, turned outward, and checked."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from scenes.geometry.mesh_files import digest_of, read_mesh

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Up = Literal["x", "y", "z", "-x", "-y", "-z"]

EXTENTS = (1e-4, 10.0)  # m; what lies outside is a mistaken unit
USUAL = (1e-3, 1.0)  # m; outside of it a unit is asked about
UNITS_MM = {"millimetres": 1.0, "metres": 1000.0, "inches": 25.4, "micrometres": 1e-3}
FLAT = 1e-12  # area of a triangle, over the square of the mesh's extent, below which it is none
THINNEST = 1e-6  # mean thickness of a body over the mesh's extent below which it has none
SIGHT_LINES = 256  # by which is judged which side of an open surface the camera sees


@dataclass(frozen=True, eq=False)
class Surface:
    """A triangle mesh as it lies under the camera: vertices (V, 3) m, z = 0 uppermost; faces (F, 3), outward."""

    vertices: Floats
    faces: Indices


@lru_cache(maxsize=4)
def read_surface(path: str, digest: str, unit: float, up: Up) -> Surface:
    """Read a mesh file whose numbers are in `unit` metres and whose `up` axis is to point to the camera.

    Its middle comes to x = y = 0. Raises BlemishError for a file that has changed since `digest` was taken, and for a
    mesh that is empty, degenerate, too large, or no surface.
    """
    import trimesh

    if digest_of(path) != digest:
        raise BlemishError(f"mesh {path}: the file has changed since its scene was drawn; expected the same bytes")
    vertices, faces = read_mesh(path)
    vertices = vertices @ _turn(up).T * unit
    extent = float(np.ptp(vertices[faces.ravel()], axis=0).max())
    if not EXTENTS[0] <= extent <= EXTENTS[1]:
        expected = f"{EXTENTS[0] * 1e3:g} to {EXTENTS[1] * 1e3:g} mm"
        raise BlemishError(
            f"mesh {path}: found an extent of {extent * 1e3:.4g} mm with unit_mm {unit * 1e3:g}; expected {expected}: "
            f"is the unit of the file another{_likelier(extent, unit)}?"
        )
    vertices, faces = _sewn(vertices, faces, extent)
    if len(faces) == 0:
        raise BlemishError(f"mesh {path}: found triangles without area only; expected a surface")
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, edge, shared = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    if crowded := int((shared > 2).sum()):
        raise BlemishError(
            f"mesh {path}: found {crowded} edges with more than two faces; expected a manifold surface: remove inner "
            "and doubled faces, in Blender with Select Non Manifold"
        )
    sewn = trimesh.Trimesh(vertices, faces, process=False)
    if not sewn.is_winding_consistent:
        trimesh.repair.fix_winding(sewn)
    body = trimesh.graph.connected_component_labels(sewn.face_adjacency, node_count=len(faces))
    if flat := _without_thickness(vertices[sewn.faces], body, extent):
        raise BlemishError(
            f"mesh {path}: found {flat} {'body' if flat == 1 else 'bodies'} without thickness, whose faces lie back to "
            "back; expected one side of a sheet, or a body: remove the lower faces, or give it a thickness"
        )
    trimesh.repair.fix_inversion(sewn, multibody=True)
    faces = np.array(sewn.faces, dtype=np.int64)
    is_open = np.unique(body[np.flatnonzero((shared[edge.reshape(-1)] == 1).reshape(-1, 3).any(axis=1))])
    away = _turned_away(vertices[faces], body, is_open)
    faces[away] = faces[away][:, ::-1]
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, high[2]])
    return Surface(vertices - middle, faces)


def doubtful_unit(extent: float, unit: float) -> str:
    """A question about the unit of a mesh of a most unusual extent (m), with the likelier one; else nothing."""
    usual = USUAL[0] <= extent <= USUAL[1]
    return (
        ""
        if usual
        else f"its extent is {extent * 1e3:.4g} mm; is the unit of the file another{_likelier(extent, unit)}?"
    )


def _likelier(extent: float, unit: float) -> str:
    for name, unit_mm in UNITS_MM.items():
        usual = extent / unit * unit_mm * 1e-3
        if USUAL[0] <= usual <= USUAL[1] and not np.isclose(unit_mm, unit * 1e3):
            return f", as {name} with unit_mm: {unit_mm:g}, which makes it {usual * 1e3:.4g} mm"
    return ""


def _without_thickness(corners: Floats, body: Indices, extent: float) -> int:
    """How many bodies, given for each of the triangles (F, 3, 3), enclose next to nothing between opposite faces."""
    a, b, c = (corners - corners.mean(axis=(0, 1))).transpose(1, 0, 2)
    vector = np.cross(b - a, c - a) / 2
    area = np.bincount(body, np.linalg.norm(vector, axis=1))
    volume = np.bincount(body, np.einsum("nk,nk->n", a, np.cross(b, c))) / 6
    left = np.linalg.norm([np.bincount(body, vector[:, axis]) for axis in range(3)], axis=0)  # 0 of what is closed
    return int(((left < THINNEST * area) & (2 * np.abs(volume) < THINNEST * area * extent)).sum())


def _turned_away(corners: Floats, body: Indices, is_open: Indices) -> NDArray[np.bool_]:
    """(F,) which triangles (F, 3, 3) belong to an open body whose inside the camera would see, looking down.

    Judged by those of its triangles that are uppermost on lines of sight through them, and by all where none is.
    """
    first, second, third = corners.transpose(1, 0, 2)
    up = np.cross(second - first, third - first)[:, 2]
    weight = np.where(np.isin(body, is_open), np.abs(up), 0.0)
    if not weight.sum() > 0:
        return np.zeros(len(corners), dtype=np.bool_)
    shares = (np.arange(SIGHT_LINES) + 0.5) / SIGHT_LINES
    seen = np.unique(np.searchsorted(np.cumsum(weight) / weight.sum(), shares))
    level = np.flatnonzero(np.abs(up) > 0)
    a, b, c, twice = first[level], second[level], third[level], up[level]
    votes = np.sign(np.bincount(body, up)) / 2
    tolerance = THINNEST * float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    for triangle, (x, y, z) in zip(seen, corners[seen].mean(axis=1), strict=True):
        beta = ((x - a[:, 0]) * (c - a)[:, 1] - (y - a[:, 1]) * (c - a)[:, 0]) / twice
        gamma = ((b - a)[:, 0] * (y - a[:, 1]) - (b - a)[:, 1] * (x - a[:, 0])) / twice
        height = a[:, 2] + beta * (b - a)[:, 2] + gamma * (c - a)[:, 2]
        met = (beta >= 0) & (gamma >= 0) & (beta + gamma <= 1)
        if z > height[met].max(initial=-np.inf) - tolerance:
            votes[body[triangle]] += np.sign(up[triangle])
    return np.isin(body, np.intersect1d(np.flatnonzero(votes < 0), is_open))


def _turn(up: Up) -> Floats:
    """The rotation (3, 3) that turns an axis to +z."""
    axis = np.eye(3)["xyz".index(up[-1])] * (-1 if up[0] == "-" else 1)
    side = np.eye(3)[("xyz".index(up[-1]) + 1) % 3]
    return np.stack([side, np.cross(axis, side), axis])


def _sewn(vertices: Floats, faces: Indices, extent: float) -> tuple[Floats, Indices]:
    """Vertices in the same place made one, as an STL file needs it, and faces without area left out."""
    _, first, index = np.unique(np.round(vertices / (extent * 1e-7)), axis=0, return_index=True, return_inverse=True)
    vertices, faces = vertices[first], index.reshape(-1)[faces]
    a, b, c = vertices[faces].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    used, faces = np.unique(faces[area > FLAT * extent**2], return_inverse=True)
    return vertices[used], faces.reshape(-1, 3).astype(np.int64)
