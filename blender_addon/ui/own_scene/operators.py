"""Operators on what a recipe says of this scene: names out of the scene, and entries of its lists."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from blender_addon.ui import changes, schema
from blender_addon.ui.own_scene import contents
from blender_addon.ui.recipe import names
from blender_addon.ui.recipe.exchange import set_section
from blender_addon.ui.words import say

FIRST_ON = {  # what differs from frame to frame in a new entry
    "pose": ("shift_x_mm", "shift_y_mm", "turn_z_degrees"),
    "lights": ("strength",),
    "clutter": (),
}
EMPTY_MEANS_INSPECTED = "pose"
NONE_FITS = {
    "lights": "None of the selected objects is a light or glows",
    "cameras": "None of the selected objects is a camera",
    "inspect": "None of the selected objects has a surface",
}

OWNER = bpy.props.StringProperty(
    name="Owner", description="Path of the settings that hold the names", default="blemish.scene", options={"HIDDEN"}
)
FIELD = bpy.props.StringProperty(
    name="Field", description="Which of the names there", default="inspect", options={"HIDDEN"}
)
_offered: list[tuple[str, str, str]] = []  # Blender asks for the items of a menu and keeps none of their texts


def property_of(group: Any, field: str) -> str:
    """The property that holds the names of a field."""
    return f"{field}_names" if hasattr(group, f"{field}_names") else field


def _items(operator: Any, context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    there = contents.all_names(context.scene, operator.field) if context is not None else []
    _offered[:] = [(name, name, "") for name in there]
    return _offered


class BLEMISH_OT_scene_name_add(bpy.types.Operator):
    """Choose something of this scene by its name, and add it to those here"""

    bl_idname = "blemish.scene_name_add"
    bl_label = "Add Name"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}
    bl_property = "name"
    __annotations__ = {
        "owner": OWNER,
        "field": FIELD,
        "name": bpy.props.EnumProperty(name="Name", description="What of this scene", items=_items),
    }

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not contents.all_names(context.scene, self.field):
            self.report({"ERROR"}, say("There is nothing in this scene that could be named here"))
            return {"CANCELLED"}
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        group = context.scene.path_resolve(self.owner)
        held = property_of(group, self.field)
        there = names.names_in(getattr(group, held))
        if self.name not in there:
            setattr(group, held, names.text_of([*there, self.name]))
        return {"FINISHED"}


class BLEMISH_OT_scene_names_selected(bpy.types.Operator):
    """Put the names of the selected objects here, in the place of those that are"""

    bl_idname = "blemish.scene_names_selected"
    bl_label = "Take Selected"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}
    __annotations__ = {"owner": OWNER, "field": FIELD}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not context.selected_objects:
            cls.poll_message_set("Select objects of this scene")
        return bool(context.selected_objects)

    def execute(self, context: bpy.types.Context) -> set[str]:
        found = contents.selected_names(context, self.field)
        if not found:
            self.report({"ERROR"}, say(NONE_FITS[contents.sort_of(self.field)]))
            return {"CANCELLED"}
        group = context.scene.path_resolve(self.owner)
        setattr(group, property_of(group, self.field), names.text_of(found))
        return {"FINISHED"}


class BLEMISH_OT_scene_entry_add(bpy.types.Operator):
    """Add an entry: a pose of all that is inspected, or lights or clutter out of the selected objects"""

    bl_idname = "blemish.scene_entry_add"
    bl_label = "Add Entry"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}
    __annotations__ = {"field": FIELD}

    def execute(self, context: bpy.types.Context) -> set[str]:
        held, section = context.scene.blemish.scene, schema.sections()[self.field]
        listed = getattr(held, self.field)
        with changes.quiet():
            entry = listed.add()
            set_section(entry, section, {})
            for name in FIRST_ON[self.field]:
                setattr(entry, f"use_{name}", True)
            if self.field != EMPTY_MEANS_INSPECTED:
                named = section.fields[0].name
                setattr(entry, named, names.text_of(contents.selected_names(context, named)))
            setattr(held, f"active_{self.field}", len(listed) - 1)
        changes.changed()
        return {"FINISHED"}


class BLEMISH_OT_scene_entry_remove(bpy.types.Operator):
    """Remove the chosen entry"""

    bl_idname = "blemish.scene_entry_remove"
    bl_label = "Remove Entry"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}
    __annotations__ = {"field": FIELD}

    def execute(self, context: bpy.types.Context) -> set[str]:
        held = context.scene.blemish.scene
        listed, place = getattr(held, self.field), getattr(held, f"active_{self.field}")
        if not 0 <= place < len(listed):
            return {"CANCELLED"}
        listed.remove(place)
        setattr(held, f"active_{self.field}", max(0, min(place, len(listed) - 1)))
        changes.changed()
        return {"FINISHED"}


CLASSES = (
    BLEMISH_OT_scene_name_add,
    BLEMISH_OT_scene_names_selected,
    BLEMISH_OT_scene_entry_add,
    BLEMISH_OT_scene_entry_remove,
)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
