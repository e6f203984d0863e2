"""The surface of a Blender mesh as arrays."""

import bpy
import numpy as np
from numpy.typing import NDArray


def triangles_of(mesh: bpy.types.Mesh) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices (V, 3), in the mesh's own axes, and the triangles (F, 3) of its faces."""
    mesh.calc_loop_triangles()
    vertices = np.empty(3 * len(mesh.vertices), dtype=np.float32)
    triangles = np.empty(3 * len(mesh.loop_triangles), dtype=np.int32)
    mesh.vertices.foreach_get("co", vertices)
    mesh.loop_triangles.foreach_get("vertices", triangles)
    return vertices.reshape(-1, 3).astype(np.float64), triangles.reshape(-1, 3).astype(np.int64)
