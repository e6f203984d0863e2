"""An object of a .blend as the inspected part: written to a mesh file that a recipe's part of the kind `mesh` reads.

The object itself is left alone, its texture coordinates too: the part is unwrapped from the file, into charts of its
own.
"""

import re
from pathlib import Path

import bpy
import numpy as np

from blender_addon.errors import RenderError
from blender_addon.rendering.blend_file import open_blend
from blender_addon.rendering.triangles import triangles_of
from scenes.datasets.files import write_atomically
from scenes.geometry.mesh_files import obj_text
from scenes.geometry.mesh_text import MOST_FACES

SOLID = ("MESH", "CURVE", "SURFACE", "FONT", "META")  # types of object that have a surface
NAMES_SHOWN = 8


def export_active(thing: bpy.types.Object, folder: Path) -> Path:
    """Write an object as it looks, with its modifiers and in its place in the world, as a file in `folder`; metres.

    Raises BlemishError where it has no surface, or more triangles than a part may have; nothing is written then.
    """
    if thing.type not in SOLID:
        raise RenderError(f"object {thing.name}: found the type {thing.type}; expected one with a surface, as a mesh")
    if thing.mode == "EDIT":
        thing.update_from_editmode()
    evaluated = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    try:
        count = len(mesh.loops) - 2 * len(mesh.polygons) if mesh else 0
        if count <= 0:
            raise RenderError(f"object {thing.name}: found no faces; expected a surface")
        if count > MOST_FACES:
            raise RenderError(
                f"object {thing.name}: found {count} triangles; expected at most {MOST_FACES}: give it the modifier "
                "Decimate"
            )
        vertices, triangles = triangles_of(mesh)
    finally:
        evaluated.to_mesh_clear()
    pose = np.array(evaluated.matrix_world, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # of what is not finite
        placed = vertices @ pose[:3, :3].T + pose[:3, 3]
    placed *= bpy.context.scene.unit_settings.scale_length
    if not np.isfinite(placed).all():
        raise RenderError(f"object {thing.name}: found vertices or a transform that are not finite numbers")
    if np.linalg.det(pose[:3, :3]) < 0:  # mirrored: what was outside stays so
        triangles = triangles[:, ::-1]
    path = Path(folder) / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', thing.name)[:64]}.obj"
    write_atomically(path, obj_text(placed, triangles).encode())
    return path


def export_object(name: str, folder: Path) -> Path:
    """Write the object of this name of the .blend that is open. Raises BlemishError where there is none."""
    thing = bpy.data.objects.get(name)
    if thing is None:
        solid = sorted(other.name for other in bpy.data.objects if other.type in SOLID)
        known = ", ".join(solid[:NAMES_SHOWN]) + (", …" if len(solid) > NAMES_SHOWN else "")
        raise RenderError(
            f"{bpy.data.filepath or 'the scene that is open'}: found no object {name}; "
            f"expected one of: {known or '(it has none with a surface)'}"
        )
    if thing.name not in bpy.context.view_layer.objects:
        raise RenderError(f"object {name}: is not in the scene that is open; expected one that is, as rendering needs")
    return export_active(thing, folder)


def open_and_export(blend: str, name: str, folder: Path) -> Path:
    """Open a .blend, none of whose scripts run, and write one of its objects."""
    open_blend(blend)
    return export_object(name, folder)
