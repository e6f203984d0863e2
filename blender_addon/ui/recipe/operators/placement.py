"""Operators of the panel Placement: which other things a layer's things lie at, and which they keep off."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from blender_addon.ui import changes, schema
from blender_addon.ui.recipe.operators.layers import NeedsLayer, active_layer

CLEARANCE_MM = 2.0


def has_placement(kind: str) -> bool:
    """Whether a recipe can say where the things of this kind lie."""
    return any(field.name == "placement" for field in schema.section_of_kind()[kind].fields)


def section_group(layer: Any) -> Any:
    """The group that holds a layer's fields."""
    return getattr(layer, schema.section_of_kind()[layer.kind].key)


def earlier_kinds(settings: Any) -> list[str]:
    """The kinds of the layers before the selected one, which its things may lie at or keep off."""
    return list(dict.fromkeys(layer.kind for layer in settings.layers[: settings.active_layer]))


class NeedsPlacement(NeedsLayer):
    """Operators on where the things of the selected layer lie."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        if not has_placement(active_layer(context).kind):
            cls.poll_message_set("This layer is a population over all of the surface; it has no placement")  # type: ignore[attr-defined]
            return False
        return True


class BLEMISH_OT_placement_of(NeedsPlacement, bpy.types.Operator):
    """Lie at or along things of this kind"""

    bl_idname = "blemish.placement_of"
    bl_label = "Lie At"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}
    __annotations__ = {"kind": bpy.props.StringProperty(name="Kind", description="Which things")}

    def execute(self, context: bpy.types.Context) -> set[str]:
        placement = section_group(active_layer(context)).placement
        placement.use_of, placement.of = True, self.kind
        return {"FINISHED"}


class BLEMISH_OT_keep_off_add(NeedsPlacement, bpy.types.Operator):
    """Keep off things of this kind"""

    bl_idname = "blemish.keep_off_add"
    bl_label = "Keep Off"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}
    __annotations__ = {"kind": bpy.props.StringProperty(name="Kind", description="Which things")}

    def execute(self, context: bpy.types.Context) -> set[str]:
        group = section_group(active_layer(context))
        with changes.quiet():
            group.use_placement = True
            entry = group.placement.keep_off_mm.add()
            entry.kind, entry.clearance_mm = self.kind, CLEARANCE_MM
        changes.changed()
        return {"FINISHED"}


class BLEMISH_OT_keep_off_remove(NeedsPlacement, bpy.types.Operator):
    """Keep off these no longer"""

    bl_idname = "blemish.keep_off_remove"
    bl_label = "Remove"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}
    __annotations__ = {"number": bpy.props.IntProperty(name="Number", description="Which of those that are kept off")}

    def execute(self, context: bpy.types.Context) -> set[str]:
        section_group(active_layer(context)).placement.keep_off_mm.remove(self.number)
        changes.changed()
        return {"FINISHED"}


class BLEMISH_MT_placement_of(bpy.types.Menu):
    bl_idname = "BLEMISH_MT_placement_of"
    bl_label = "Lie At"

    def draw(self, context: bpy.types.Context) -> None:
        _draw_kinds(self.layout, "blemish.placement_of", earlier_kinds(context.scene.blemish))


class BLEMISH_MT_keep_off(bpy.types.Menu):
    bl_idname = "BLEMISH_MT_keep_off"
    bl_label = "Keep Off"

    def draw(self, context: bpy.types.Context) -> None:
        taken = {entry.kind for entry in section_group(active_layer(context)).placement.keep_off_mm}
        kinds = [kind for kind in earlier_kinds(context.scene.blemish) if kind not in taken]
        _draw_kinds(self.layout, "blemish.keep_off_add", kinds)


def _draw_kinds(layout: bpy.types.UILayout, operator: str, kinds: list[str]) -> None:
    for kind in kinds:
        choice: Any = layout.operator(operator, text=schema.title_of(kind))
        choice.kind = kind
    if not kinds:
        layout.label(text="There is no other layer before this one")


CLASSES = (
    BLEMISH_OT_placement_of,
    BLEMISH_OT_keep_off_add,
    BLEMISH_OT_keep_off_remove,
    BLEMISH_MT_placement_of,
    BLEMISH_MT_keep_off,
)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
