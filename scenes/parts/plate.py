"""A flat rectangular plate."""

from dataclasses import dataclass

import numpy as np

from scenes.atlas import Chart, Floats, Part, extruded


@dataclass(frozen=True)
class PlaneChart(Chart):
    """The rectangle x in ±width/2, y in ±height/2 at z = 0, seen from +z; u runs along +x, v along +y. Metres."""

    width: float
    height: float

    @property
    def size(self) -> tuple[float, float]:
        return self.width, self.height

    def embed(self, uv: Floats) -> Floats:
        return np.column_stack([uv[:, 0] - self.width / 2, uv[:, 1] - self.height / 2, np.zeros(len(uv))])

    def normals(self, uv: Floats) -> Floats:
        return np.broadcast_to(np.array([0.0, 0.0, 1.0]), (len(uv), 3))

    def tangents(self, uv: Floats) -> Floats:
        return np.broadcast_to(np.array([1.0, 0.0, 0.0]), (len(uv), 3))


def plate(width: float, height: float, thickness: float) -> Part:
    """A plate whose inspected upper face is a PlaneChart; all extents in metres."""
    x = np.array([-width / 2, width / 2])
    profile = np.stack([np.column_stack([x, np.full(2, z)]) for z in (0.0, -thickness)])
    return Part(extruded(profile, height), PlaneChart(width, height))
