"""An inspected object's mesh as it renders, unwrapped into the part that layers are drawn on."""

from dataclasses import dataclass, replace
from functools import lru_cache

import bmesh
import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.errors import RenderError
from blender_addon.workers import compat
from scenes.geometry.atlas import Mesh, Part, Texture, texture
from scenes.geometry.mesh_text import MOST_FACES
from scenes.geometry.meshes import unwrapped
from scenes.geometry.surfaces import EXTENTS, FLAT, Surface

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

ATLAS = "blemish atlas"  # the layer of texture coordinates
BENT = 1e-6  # what the cosine between a polygon's normal and that of its triangles may lack of 1
SAME_PLACE = 1e-7  # of the extent; vertices nearer than this are one
REMEMBERED = 16  # parts and textures; copies of an object share theirs


def baked(evaluated: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> bpy.types.Mesh:
    """A mesh of its own of an evaluated object: triangles alone, shaded as before, with the object's materials."""
    mesh = bpy.data.meshes.new_from_object(evaluated, preserve_all_data_layers=True, depsgraph=depsgraph)
    materials = [slot.material.original if slot.material else None for slot in evaluated.material_slots]
    indices = np.zeros(len(mesh.polygons), dtype=np.int32)
    mesh.polygons.foreach_get("material_index", indices)
    mesh.materials.clear()
    for material in materials:
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", indices)  # which clearing has set to 0
    if any(polygon.loop_total > 3 for polygon in mesh.polygons):
        _triangulate(mesh)
    return mesh


def _triangulate(mesh: bpy.types.Mesh) -> None:
    """Cut polygons up as Cycles does, and keep the normals of their corners where cutting would change them."""
    kept = compat.corner_normals(mesh) if mesh.has_custom_normals or _is_bent(mesh) else None
    edited = bmesh.new()
    edited.from_mesh(mesh)
    before = edited.faces.layers.int.new("blemish polygon")
    for number, face in enumerate(edited.faces):
        face[before] = number
    corners = {(loop.face[before], loop.vert.index): loop.index for face in edited.faces for loop in face.loops}
    large = [face for face in edited.faces if len(face.verts) > 3]
    bmesh.ops.triangulate(edited, faces=large, quad_method="FIXED", ngon_method="EAR_CLIP")
    order = [corners[face[before], loop.vert.index] for face in edited.faces for loop in face.loops]
    edited.faces.layers.int.remove(before)
    edited.to_mesh(mesh)
    edited.free()
    if kept is not None:
        compat.set_corner_normals(mesh, kept[order])


def _is_bent(mesh: bpy.types.Mesh) -> bool:
    """Whether some polygon does not lie in a plane."""
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    of_triangles, polygons = np.empty(3 * count, np.float32), np.empty(count, np.int32)
    mesh.loop_triangles.foreach_get("normal", of_triangles)
    mesh.loop_triangles.foreach_get("polygon_index", polygons)
    of_polygons = np.empty(3 * len(mesh.polygons), np.float32)
    mesh.polygons.foreach_get("normal", of_polygons)
    pairs = of_triangles.reshape(-1, 3), of_polygons.reshape(-1, 3)[polygons]
    return bool((np.einsum("nk,nk->n", *pairs) < 1 - BENT).any())


@dataclass(frozen=True, eq=False)
class Body:
    """An inspected object's geometry.

    local: (V, 3) in the object's own frame. faces: of the mesh's triangles, those with an area. part: in metres, its
    axes the object's own and its middle at 0. to_part: (3, 3), from the object's frame to the part's. middle: (3,) of
    the part's frame, metres. mirrored: whether the object's transform turns it inside out.
    """

    local: Floats
    faces: Indices
    part: Part
    to_part: Floats
    middle: Floats
    mirrored: bool

    def world(self, pose: Floats) -> Mesh:
        """The part's mesh where an object stands whose local frame `pose` (4, 4) takes to the world's."""
        return replace(self.part.mesh, vertices=self.local @ pose[:3, :3].T + pose[:3, 3])

    def part_to_world(self, pose: Floats, unit: float) -> Floats:
        """(4, 4) from the part's frame to the world's, both in metres. unit: metres of a unit of the scene."""
        result = np.eye(4)
        result[:3, :3] = pose[:3, :3] @ np.linalg.inv(self.to_part) * unit
        result[:3, 3] = unit * pose[:3, 3] + result[:3, :3] @ self.middle
        return result

    def texture(self, texel_size: float) -> Texture:
        return _texture(self.part, texel_size)

    def write_uvs(self, mesh: bpy.types.Mesh, texel_size: float) -> None:
        """Set the mesh's texture coordinates to those of a texture with texels of this size (m)."""
        corners = np.zeros((len(mesh.polygons), 3, 2), dtype=np.float32)
        uvs = self.texture(texel_size).uvs[:, :3]
        corners[self.faces] = uvs[:, ::-1] if self.mirrored else uvs
        compat.set_uvs(mesh.uv_layers[ATLAS], corners.reshape(-1, 2))


def body_of(name: str, mesh: bpy.types.Mesh, pose: Floats, unit: float) -> Body:
    """The geometry of an object with a mesh of triangles, and room in the mesh for its texture coordinates.

    pose: (4, 4), local to world. unit: metres of a unit of the scene. Raises RenderError where it is no part.
    """
    count = len(mesh.polygons)
    vertices = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", vertices)
    local, triangles = vertices.reshape(-1, 3).astype(np.float64), _triangles(mesh)
    if count > MOST_FACES:
        raise RenderError(
            f"object {name}: found {count} triangles; expected at most {MOST_FACES}: give it the modifier Decimate"
        )
    if not (np.isfinite(local).all() and np.isfinite(pose).all()):
        raise RenderError(f"object {name}: found vertices or a transform that are not finite numbers")
    to_part, mirrored = _metric(pose[:3, :3], unit)
    placed = local @ to_part.T
    extent = float(np.ptp(placed[triangles.ravel()], axis=0).max()) if count else 0.0
    if not count or not np.abs(np.linalg.det(to_part)) > 0 or not extent > 0:
        raise RenderError(f"object {name}: found no faces with an area; expected a surface")
    if not EXTENTS[0] <= extent <= EXTENTS[1]:
        raise RenderError(
            f"object {name}: found an extent of {extent * 1e3:.4g} mm; expected {EXTENTS[0] * 1e3:g} to "
            f"{EXTENTS[1] * 1e3:g} mm: was it modelled in another unit? Set Unit Scale in the scene's properties"
        )
    _, first, index = np.unique(
        np.round(placed / (extent * SAME_PLACE)), axis=0, return_index=True, return_inverse=True
    )
    local, placed, place_of = local[first], placed[first], index.reshape(-1)
    if _is_inside_out(local, place_of[triangles]) and not mesh.has_custom_normals:
        mesh.flip_normals()  # layers lie on the outside; opaque surfaces look the same
        triangles = _triangles(mesh)
    triangles = place_of[triangles]
    a, b, c = placed[triangles].transpose(1, 0, 2)
    faces = np.flatnonzero(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2 > FLAT * extent**2)
    if not len(faces):
        raise RenderError(f"object {name}: found no faces with an area; expected a surface")
    if mesh.uv_layers.new(name=ATLAS, do_init=False) is None:
        raise RenderError(f"object {name}: found {len(mesh.uv_layers)} UV maps; expected one fewer, to add one")
    mine = triangles[faces][:, ::-1] if mirrored else triangles[faces]
    low, high = placed[mine.ravel()].min(axis=0), placed[mine.ravel()].max(axis=0)
    middle = (low + high) / 2
    part = _part((placed - middle).tobytes(), mine.tobytes())
    return Body(local, faces, part, to_part, middle, mirrored)


def _triangles(mesh: bpy.types.Mesh) -> Indices:
    """(F, 3) vertices of a mesh of triangles, in the order of its corners."""
    corners = np.empty(3 * len(mesh.polygons), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    return corners.reshape(-1, 3).astype(np.int64)


def _is_inside_out(vertices: Floats, triangles: Indices) -> bool:
    """Whether triangles enclose a body and face its inside."""
    edges = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    if (np.unique(edges, axis=0, return_counts=True)[1] != 2).any():
        return False
    a, b, c = (vertices[triangles] - vertices.mean(axis=0)).transpose(1, 0, 2)
    return bool(np.einsum("nk,nk->", a, np.cross(b, c)) < 0)


def _metric(pose: Floats, unit: float) -> tuple[Floats, bool]:
    """The transform (3, 3) into metres that only a rotation tells from `pose`, and whether it mirrors.

    Rounded, so that copies that are turned differently come to the same.
    """
    _, stretch, axes = np.linalg.svd(pose * unit)
    largest = max(float(stretch[0]), np.finfo(float).tiny)
    own = np.round(axes.T @ np.diag(stretch / largest) @ axes, 6) * float(f"{largest:.6g}")
    mirrored = bool(np.linalg.det(pose) < 0)
    return (np.diag([-1.0, 1.0, 1.0]) @ own if mirrored else own), mirrored


@lru_cache(maxsize=REMEMBERED)
def _part(vertices: bytes, faces: bytes) -> Part:
    return unwrapped(
        Surface(
            np.frombuffer(vertices, dtype=np.float64).reshape(-1, 3),
            np.frombuffer(faces, dtype=np.int64).reshape(-1, 3),
        )
    )


@lru_cache(maxsize=REMEMBERED)
def _texture(part: Part, texel_size: float) -> Texture:
    return texture(part, texel_size)
