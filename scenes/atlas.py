"""Meshes with a UV atlas whose texels know their position, normal and tangent."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from procgen.layer import SurfacePoints

Floats = NDArray[np.float64]

INSPECTED = 0  # material index of faces that show the surface maps
BODY = 1  # material index of faces that carry no maps and no masks
TEXTURE_SIDE_LIMIT = 8192  # texels; eight float maps of this size are 10 GB, beyond what a frame should need


@dataclass(frozen=True)
class Mesh:
    """Quadrilaterals, counter-clockwise seen from outside.

    vertices: (V, 3) float64, metres, frame of the part. faces: (F, 4) int64 vertex indices. uvs: (F, 4, 2) float64 in
    0 to 1 on inspected faces, 0 elsewhere. materials: (F,) int64, INSPECTED or BODY.
    """

    vertices: Floats
    faces: NDArray[np.int64]
    uvs: Floats
    materials: NDArray[np.int64]


class Chart(ABC):
    """An inspected surface, unrolled: (u, v) in metres from a corner, u to the right and v up.

    UV coordinates 0 to 1 of the mesh map linearly to 0 to `size`.
    """

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


@dataclass(frozen=True)
class Part:
    """A part ready to be shown: its mesh, and the chart of its inspected surface."""

    mesh: Mesh
    surface: Chart


def extruded(profile: Floats, v_extent: float) -> Mesh:
    """A closed body swept along y from -v_extent/2 to v_extent/2; its upper side is the inspected surface.

    profile: (2, K, 2) metres: K points (x, z) of the upper outline from left to right at equal steps of u, then the K
    points of the lower outline beneath them.
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
        return np.stack(np.broadcast_arrays(*corners), axis=-1).reshape(-1, 4)

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
    u = np.linspace(0, 1, count)
    uvs = np.zeros((len(faces), 4, 2))
    uvs[: len(upper), :, 0] = np.stack([u[left], u[right], u[right], u[left]], axis=-1)
    uvs[: len(upper), :, 1] = [0, 0, 1, 1]
    materials = np.full(len(faces), BODY)
    materials[: len(upper)] = INSPECTED
    return Mesh(vertices.reshape(-1, 3), faces, uvs, materials)
