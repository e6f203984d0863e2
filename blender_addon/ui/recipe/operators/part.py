"""Operators of the panel Part: the part in the scene, parametric or from the user's own mesh."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import bpy

from blender_addon.ui import changes, schema
from blender_addon.ui.preview import viewport

FOLDER = "blemish/meshes"  # in the user's data files, so that meshes outlive unsaved .blend files


def _kinds() -> list[tuple[str, str, str]]:
    kinds = [kind for kind in schema.kinds_in("part") if kind != "mesh"]
    return [(kind, schema.title_of(kind), schema.tooltip_of(kind)) for kind in sorted(kinds, key=schema.title_of)]


class NeedsObjectMode:
    """Operators that add a part, which Blender does in Object Mode only."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave Edit Mode first: parts are added in Object Mode")  # type: ignore[attr-defined]
            return False
        return True


class MESH_OT_blemish_part_add(NeedsObjectMode, bpy.types.Operator):
    """Add a part to inspect, with the surface and layers of the tab Blemish"""

    bl_idname = "mesh.blemish_part_add"
    bl_label = "Inspected Part"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    __annotations__ = {
        "kind": bpy.props.EnumProperty(name="Kind", description="What is inspected", items=_kinds(), default="plate")
    }

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.blemish
        with changes.quiet():
            settings.part.kind = self.kind
        store_all_settings(settings)
        return show_part(self, context)


class BLEMISH_OT_part_from_active(NeedsObjectMode, bpy.types.Operator):
    """Inspect the active object as it looks now, in its place. It is unwrapped anew for the layers; your object and its own UVs stay as they are"""  # noqa: E501 - Blender's tooltip

    bl_idname = "blemish.part_from_active"
    bl_label = "Use Active Object"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    __annotations__ = {
        "hide": bpy.props.BoolProperty(
            name="Hide Original", description="Hide your object, which the part stands in for", default=True
        )
    }

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        thing = context.active_object
        if thing is None:
            cls.poll_message_set("Select the object to inspect")
            return False
        if thing.type not in {"MESH", "CURVE", "SURFACE", "FONT", "META"}:
            cls.poll_message_set(f"{thing.name} has no surface; select a mesh")
            return False
        if thing == context.scene.blemish.preview.object:
            cls.poll_message_set("This is the inspected part already; select an object of your own")
            return False
        return super().poll(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return inspect_object(self, context, context.active_object, hide=self.hide)


class BLEMISH_OT_part_update(NeedsObjectMode, bpy.types.Operator):
    """Take your object anew, as it looks now"""

    bl_idname = "blemish.part_update"
    bl_label = "Update from Object"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        source = context.scene.blemish.preview.source
        if source is None or context.scene.objects.get(source.name) != source:
            cls.poll_message_set("The object that was inspected is no longer in this scene")
            return False
        return super().poll(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        source = context.scene.blemish.preview.source
        return inspect_object(self, context, source, hide=source.hide_get())


def inspect_object(
    operator: bpy.types.Operator, context: bpy.types.Context, thing: bpy.types.Object, *, hide: bool
) -> set[str]:
    """Make an object the inspected part."""
    from blender_addon.workers.render import UNIT_MM
    from procgen.errors import BlemishError

    settings = context.scene.blemish
    before = (settings.part.kind, settings.part.mesh.path)
    try:
        path = export_to_user_folder(thing)
    except BlemishError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    except OSError as error:
        operator.report({"ERROR"}, f"The mesh cannot be kept: {error.strerror} ({error.filename})")
        return {"CANCELLED"}
    with changes.quiet():
        settings.part.kind = "mesh"
        mesh = settings.part.mesh
        mesh.path, mesh.unit_mm, mesh.up, mesh.use_sha256 = str(path), UNIT_MM, "z", False
        settings.preview.source = thing
    store_all_settings(settings)
    result = show_part(operator, context, look=False)
    if result == {"CANCELLED"}:
        with changes.quiet():
            settings.part.kind, settings.part.mesh.path = before
        return result
    place_over(settings.preview.object, path, context.scene.unit_settings.scale_length)
    if hide:
        thing.hide_set(True)
    return result


def export_to_user_folder(thing: bpy.types.Object) -> Path:
    """A file with the object's mesh, in a folder that is named after its content. Raises BlemishError, OSError."""
    from blender_addon.rendering.mesh_export import export_active
    from scenes.datasets.files import write_atomically

    with TemporaryDirectory(prefix="blemish-") as folder:
        written = export_active(thing, Path(folder))
        content = written.read_bytes()
    name = hashlib.sha256(content).hexdigest()[:16]
    kept = Path(bpy.utils.user_resource("DATAFILES", path=f"{FOLDER}/{name}", create=True)) / written.name
    write_atomically(kept, content)
    return kept


def place_over(part: bpy.types.Object, path: Path, metres: float) -> None:
    """Put the part, which has its origin over its middle, where the exported mesh is; metres: of Blender's unit."""
    import numpy as np

    lines = (line.split()[1:4] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("v "))
    vertices = np.array(list(lines), dtype=np.float64) / metres
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    part.location = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, high[2])
    part.scale = (1 / metres,) * 3


def store_all_settings(settings: Any) -> None:
    """Write every setting down, so that a later version with other defaults shows the same."""
    from blender_addon.ui.recipe import exchange
    from procgen.errors import BlemishError

    if settings.version:
        return
    try:
        exchange.from_recipe(exchange.to_recipe(settings), settings)
    except BlemishError:
        return  # the preview says what is wrong


def show_part(operator: bpy.types.Operator, context: bpy.types.Context, *, look: bool = True) -> set[str]:
    """Draw the part, select it, have the viewport show materials and, for those who want it, the part."""
    settings = context.scene.blemish
    gone = viewport.shown_object(context.scene) is None
    if gone and settings.preview.object is not None:
        settings.preview.object = None
    with busy_cursor(context):
        report = viewport.update(context.scene)
    if report.problem:
        operator.report({"ERROR"}, report.problem)
        return {"CANCELLED"}
    part = settings.preview.object
    for other in context.selected_objects:
        other.select_set(False)
    if part.name in context.view_layer.objects:
        part.select_set(True)
        context.view_layer.objects.active = part
    space = context.space_data
    if gone and isinstance(space, bpy.types.SpaceView3D):
        if space.shading.type == "SOLID":
            space.shading.type = "MATERIAL"
        if look:
            frame_in_view(context)
    return {"FINISHED"}


@contextmanager
def busy_cursor(context: bpy.types.Context) -> Iterator[None]:
    """Show that Blender is busy: the first preview loads what simulates, which takes seconds."""
    if context.window is not None:
        context.window.cursor_modal_set("WAIT")
    try:
        yield
    finally:
        if context.window is not None:
            context.window.cursor_modal_restore()


def frame_in_view(context: bpy.types.Context) -> None:
    """Bring the part into view: parts are small beside Blender's default cube."""
    for region in context.area.regions:
        if region.type == "WINDOW" and hasattr(context, "temp_override"):
            with context.temp_override(region=region):
                if bpy.ops.view3d.view_selected.poll():
                    bpy.ops.view3d.view_selected()


def _menu(menu: Any, context: bpy.types.Context) -> None:
    menu.layout.operator_menu_enum("mesh.blemish_part_add", "kind", text="Inspected Part", icon="VIEWZOOM")


CLASSES = (MESH_OT_blemish_part_add, BLEMISH_OT_part_from_active, BLEMISH_OT_part_update)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.VIEW3D_MT_mesh_add.append(_menu)


def unregister() -> None:
    bpy.types.VIEW3D_MT_mesh_add.remove(_menu)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
