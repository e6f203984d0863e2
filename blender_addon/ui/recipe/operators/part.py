"""Operators of the panel Part: the part in the scene, parametric or from the user's own mesh."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import bpy

from blender_addon.ui import changes, schema
from blender_addon.ui.preview import leaving, places, snapshots, source, viewport
from blender_addon.ui.preview.ownership import is_in
from blender_addon.ui.recipe import sizes

NAMES_SHOWN = 4  # of the objects that are left out


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
        result = show_part(self, context)
        part = settings.preview.object
        if result == {"FINISHED"} and part.location.z > context.scene.cursor.location.z:
            self.report({"INFO"}, "The part stands on top of what is at the 3D cursor, which would hide it")
        return result


class BLEMISH_OT_part_from_active(NeedsObjectMode, bpy.types.Operator):
    """Inspect the active object as it looks now, in its place. It is unwrapped anew for the layers; your object and its own UVs stay as they are"""  # noqa: E501 - Blender's tooltip

    bl_idname = "blemish.part_from_active"
    bl_label = "Use Active Object"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    __annotations__ = {
        "hide": bpy.props.BoolProperty(
            name="Hide Original",
            description="Hide your object, which the part stands in for, in views and renders",
            default=True,
        ),
        "scale": bpy.props.FloatProperty(
            name="Scale",
            description="Size of the part over that of your object: 0.001 where its file was in millimetres, which "
            "Blender reads as metres",
            default=1.0,
            min=1e-6,
            max=1e6,
            precision=4,
            options={"SKIP_SAVE"},
        ),
    }

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        from blender_addon.rendering.mesh_export import SOLID

        thing = context.active_object
        if thing is None:
            cls.poll_message_set("Select the object to inspect")
            return False
        if thing.type not in SOLID:
            cls.poll_message_set(f"{thing.name} has no surface; select a mesh")
            return False
        if thing == context.scene.blemish.preview.object:
            cls.poll_message_set("This is the inspected part already; select an object of your own")
            return False
        return super().poll(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        thing = context.active_object
        others = [other.name for other in context.selected_objects if other not in (thing, None)]
        others = [name for name in others if name != getattr(context.scene.blemish.preview.object, "name", "")]
        result = inspect_object(self, context, thing, hide=self.hide, scale=self.scale)
        if result == {"FINISHED"} and others:
            left_out = ", ".join(others[:NAMES_SHOWN]) + (", …" if len(others) > NAMES_SHOWN else "")
            sentence = f"Of the selected objects only the active one, {thing.name}, is inspected, without {left_out}"
            self.report({"WARNING"}, f"{sentence}; join them to inspect all")
        return result


class BLEMISH_OT_part_update(NeedsObjectMode, bpy.types.Operator):
    """Take your object anew, as it looks now"""

    bl_idname = "blemish.part_update"
    bl_label = "Update from Object"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not is_in(context.scene, context.scene.blemish.preview.source):
            cls.poll_message_set("The object that was inspected is no longer in this scene")
            return False
        return super().poll(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        from blender_addon.workers.render import UNIT_MM

        settings = context.scene.blemish
        original, hide = settings.preview.source, settings.preview.hides_source
        return inspect_object(self, context, original, hide=hide, scale=settings.part.mesh.unit_mm / UNIT_MM)


class BLEMISH_OT_take_away(bpy.types.Operator):
    """Remove the part, the camera and the lights from the scene, and give back what they stood in for: your object, the scene's camera, world and resolution"""  # noqa: E501 - Blender's tooltip

    bl_idname = "blemish.take_away"
    bl_label = "Take Away"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    __annotations__ = {
        "settings": bpy.props.BoolProperty(
            name="Settings Too",
            description="Forget everything that is set in the tab as well, the recipe among it",
            options={"SKIP_SAVE"},
        )
    }

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.scene.blemish.preview.object is None and not context.scene.blemish.version:
            cls.poll_message_set("There is nothing of Blemish's in this scene")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        was_solid, space = context.scene.blemish.preview.was_solid, context.space_data
        leaving.take_away(context.scene, settings=self.settings)
        if was_solid and isinstance(space, bpy.types.SpaceView3D) and space.shading.type == "MATERIAL":
            space.shading.type = "SOLID"
        return {"FINISHED"}


def inspect_object(
    operator: bpy.types.Operator, context: bpy.types.Context, thing: bpy.types.Object, *, hide: bool, scale: float
) -> set[str]:
    """Make an object the inspected part, `scale` times its size."""
    import numpy as np

    from blender_addon.workers.render import UNIT_MM
    from procgen.errors import BlemishError
    from scenes.geometry.mesh_files import read_mesh

    settings = context.scene.blemish
    preview, mesh = settings.preview, settings.part.mesh
    metres = context.scene.unit_settings.scale_length
    try:
        path = snapshots.take(thing)
        vertices, _ = read_mesh(str(path))
        extent = float(np.ptp(vertices, axis=0).max()) * scale
        if refusal := sizes.size_text(thing.name, extent):
            raise BlemishError(refusal)
    except BlemishError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    except OSError as error:
        operator.report({"ERROR"}, f"The mesh cannot be kept: {error.strerror} ({error.filename})")
        return {"CANCELLED"}
    fields = {"path": str(path), "unit_mm": UNIT_MM * scale, "up": "z", "use_sha256": False}
    before = {name: getattr(mesh, name) for name in fields}
    kind, snapshot = settings.part.kind, preview.snapshot
    with changes.quiet():
        settings.part.kind, preview.snapshot = "mesh", str(path)
        for name, value in fields.items():
            setattr(mesh, name, value)
    store_all_settings(settings)
    result = show_part(operator, context, look=scale != 1)
    if result == {"CANCELLED"}:
        with changes.quiet():
            settings.part.kind, preview.snapshot = kind, snapshot
            for name, value in before.items():
                setattr(mesh, name, value)
        return result
    places.place_over(preview.object, vertices / metres, metres)
    if preview.source != thing:
        source.give_back(context.scene)
        preview.source = thing
    if hide:
        source.hide(context.scene)
    if doubt := sizes.doubt_text(thing.name, extent):
        operator.report({"WARNING"}, doubt)
    return result


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
    leaving.settle()
    gone = viewport.shown_object(context.scene) is None
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
            settings.preview.was_solid, space.shading.type = True, "MATERIAL"
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


CLASSES = (MESH_OT_blemish_part_add, BLEMISH_OT_part_from_active, BLEMISH_OT_part_update, BLEMISH_OT_take_away)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.VIEW3D_MT_mesh_add.append(_menu)


def unregister() -> None:
    bpy.types.VIEW3D_MT_mesh_add.remove(_menu)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
