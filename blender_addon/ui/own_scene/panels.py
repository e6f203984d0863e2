"""The sub-panels of Dataset on what of this scene differs from frame to frame."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from blender_addon.ui import schema
from blender_addon.ui.own_scene import rows
from blender_addon.ui.recipe.properties import SCENE
from blender_addon.ui.sidebar import SidebarPanel, split_labels
from blender_addon.ui.words import say

LIST_ROWS = 2


class BLEMISH_UL_scene_entries(bpy.types.UIList):
    """Entries of what a recipe says of this scene, each by what it names"""

    bl_idname = "BLEMISH_UL_scene_entries"

    def draw_item(
        self, context: bpy.types.Context, layout: Any, data: Any, item: Any, icon: int, active_data: Any, listed: str
    ) -> None:
        fields = schema.sections()[listed.removeprefix("active_")].fields
        named = [text for field in fields if field.sort == "names" and (text := getattr(item, field.name))]
        needed = any(field.sort == "names" and field.low for field in fields)
        layout.label(text=", ".join(named) or say("Nothing yet" if needed else "All inspected"), translate=False)


class _ScenePanel(SidebarPanel):
    """What a recipe's section `scene` says in one field."""

    bl_parent_id = "BLEMISH_PT_dataset"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}
    field: ClassVar[str]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(context.scene.blemish.where == SCENE)


class _SwitchedPanel(_ScenePanel):
    """A field that may be absent, with its switch beside the title."""

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.prop(context.scene.blemish.scene, f"use_{self.field}", text="")

    def draw(self, context: bpy.types.Context) -> None:
        layout, held = split_labels(self.layout), context.scene.blemish.scene
        layout.active = getattr(held, f"use_{self.field}")
        rows.draw_section(layout, context, getattr(held, self.field), self.field)


class _ListPanel(_ScenePanel):
    """A list of entries, with the fields of the chosen one below; their number beside the title."""

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        if number := len(getattr(context.scene.blemish.scene, self.field)):
            self.layout.label(text=str(number), translate=False)

    def draw(self, context: bpy.types.Context) -> None:
        layout, held = split_labels(self.layout), context.scene.blemish.scene
        active = f"active_{self.field}"
        row = layout.row()
        row.template_list("BLEMISH_UL_scene_entries", self.field, held, self.field, held, active, rows=LIST_ROWS)
        side = row.column(align=True)
        side.operator("blemish.scene_entry_add", text="", icon="ADD").field = self.field
        side.operator("blemish.scene_entry_remove", text="", icon="REMOVE").field = self.field
        listed, place = getattr(held, self.field), getattr(held, active)
        if 0 <= place < len(listed):
            rows.draw_section(layout, context, listed[place], self.field)


class BLEMISH_PT_scene_poses(_ListPanel, bpy.types.Panel):
    bl_label = "Poses"
    bl_order = 0
    field = "pose"


class BLEMISH_PT_scene_conveyor(_SwitchedPanel, bpy.types.Panel):
    bl_label = "Conveyor"
    bl_order = 1
    field = "conveyor"


class BLEMISH_PT_scene_resting(_SwitchedPanel, bpy.types.Panel):
    bl_label = "Dropped Parts"
    bl_order = 2
    field = "resting"


class BLEMISH_PT_scene_lights(_ListPanel, bpy.types.Panel):
    bl_label = "Lights"
    bl_order = 3
    field = "lights"


class BLEMISH_PT_scene_world(_SwitchedPanel, bpy.types.Panel):
    bl_label = "Surroundings"
    bl_order = 4
    field = "world"


class BLEMISH_PT_scene_clutter(_ListPanel, bpy.types.Panel):
    bl_label = "Clutter"
    bl_order = 5
    field = "clutter"


CLASSES = (
    BLEMISH_UL_scene_entries,
    BLEMISH_PT_scene_poses,
    BLEMISH_PT_scene_conveyor,
    BLEMISH_PT_scene_resting,
    BLEMISH_PT_scene_lights,
    BLEMISH_PT_scene_world,
    BLEMISH_PT_scene_clutter,
)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
