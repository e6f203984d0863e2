"""The user's mesh as it was taken for a part: a file that lives as long as this Blender, made anew when it is missing.

A .blend holds the object that it came from, or else the part itself; the file is but what a recipe reads.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import bpy

from blender_addon.ui import changes
from blender_addon.ui.preview.part import shows_own_mesh

FOLDER = "blemish-meshes"  # in the folder that Blender removes when it ends


def take(thing: bpy.types.Object) -> Path:
    """A file with the object's mesh, in a folder that is named after its content. Raises BlemishError, OSError."""
    from blender_addon.rendering.mesh_export import export_active

    with TemporaryDirectory(prefix="blemish-") as folder:
        written = export_active(thing, Path(folder))
        return _keep(written.name, written.read_bytes())


def bring_back(settings: Any) -> None:
    """Have the file of a part that was taken from an object be there again. Raises BlemishError, OSError.

    It is made of the same object if that still looks the same, and otherwise of the part itself.
    """
    from procgen.errors import BlemishError

    mesh, preview = settings.part.mesh, settings.preview
    wanted = Path(preview.snapshot)
    if settings.part.kind != "mesh" or not preview.snapshot or mesh.path != preview.snapshot or wanted.is_file():
        return
    found = None
    if preview.source is not None:
        try:
            found = take(preview.source)
        except BlemishError:  # what became of it is no part
            found = None
    if found is None or found.parent.name != wanted.parent.name:
        if preview.object is None or not shows_own_mesh(preview.object.data):
            return  # reading the file says that it is missing
        found = _keep(wanted.name, _text_of(preview.object.data, 1e-3 * mesh.unit_mm).encode())
    with changes.quiet():
        mesh.path = preview.snapshot = str(found)


def _keep(name: str, content: bytes) -> Path:
    from scenes.datasets.files import write_atomically

    kept = Path(bpy.app.tempdir or gettempdir()) / FOLDER / hashlib.sha256(content).hexdigest()[:16] / name
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(kept, content)
    return kept


def _text_of(mesh: bpy.types.Mesh, unit: float) -> str:
    """An OBJ of a mesh in metres, in units of `unit` metres."""
    from blender_addon.rendering.triangles import triangles_of
    from scenes.geometry.mesh_files import obj_text

    vertices, triangles = triangles_of(mesh)
    return obj_text(vertices / unit, triangles)
