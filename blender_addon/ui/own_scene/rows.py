"""How a recipe's fields on this scene are drawn: as its others, and names with what picks them out of the scene."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy

from blender_addon.ui import lines, schema
from blender_addon.ui.own_scene import contents
from blender_addon.ui.recipe import choices, rows
from blender_addon.ui.recipe.exchange import pinned_pictures
from blender_addon.ui.schema import Field
from blender_addon.ui.sidebar import labelled_prop, labelled_row
from blender_addon.ui.words import say

MAIN = ("inspect", "surface", "picture", "cameras", "camera_frame", "background")  # the others have panels of their own


def draw_main(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw what is inspected in this scene, and by which cameras, before which background."""
    fields = {field.name: field for field in schema.sections()["scene"].fields}
    for name in MAIN:
        draw_field(layout.column(), context, context.scene.blemish.scene, fields[name])


def draw_section(
    layout: bpy.types.UILayout, context: bpy.types.Context, group: Any, key: str, skip: Iterable[str] = ()
) -> None:
    """Draw the fields of a section on this scene."""
    column = layout.column()
    for field in schema.sections()[key].fields:
        if field.name not in skip:
            draw_field(column, context, group, field)


def draw_field(layout: bpy.types.UILayout, context: bpy.types.Context, group: Any, field: Field) -> None:
    """Draw one of them."""
    match field.sort:
        case "names":
            draw_names(layout, context, group, field, field.name, needed=bool(field.low))
        case "word":
            labelled_prop(layout, group, field.name)
            if getattr(group, field.name) == choices.NAMES:
                draw_names(layout, context, group, field, f"{field.name}_names", needed=True, labelled=False)
        case "folder":
            draw_folder(layout, context, group, field)
        case _:
            rows.draw_field(layout, group, field)


def draw_names(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    group: Any,
    field: Field,
    held: str,
    *,
    needed: bool,
    labelled: bool = True,
) -> None:
    """Draw names, what picks them, and which of them nothing in this scene has; red where there must be some."""
    text = getattr(group, held)
    row = labelled_row(layout, field.title, above=rows.is_narrow()) if labelled else layout.row(align=True)
    line = row.row(align=True)
    line.alert = needed and not text.strip()
    line.prop(group, held, text="")
    pickers = [("blemish.scene_name_add", "ADD")]
    if contents.sort_of(field.name) != contents.COLLECTIONS:
        pickers.insert(0, ("blemish.scene_names_selected", "EYEDROPPER"))
    for operator, icon in pickers:
        picks: Any = row.operator(operator, text="", icon=icon)
        picks.owner, picks.field = group.path_from_id(), field.name
    if unknown := contents.unmatched(context.scene, field.name, text):
        sentence = say("There is nothing in this scene that {name} names.", name=unknown[0])
        lines.draw(layout, context, sentence, icon="ERROR")


def draw_folder(layout: bpy.types.UILayout, context: bpy.types.Context, group: Any, field: Field) -> None:
    """Draw a folder of pictures with its switch, and what the recipe says of them that has no row."""
    if rows.is_folded(group, field):
        rows.draw_flag(layout, group, f"use_{field.name}")
        return
    rows.field_row(layout, group, field, field.title).prop(group, field.name, text="")
    if number := pinned_pictures(group, field):
        sentence = say("The recipe takes no pictures but the {number} that it knows the SHA-256 of.", number=number)
        lines.draw(layout, context, sentence, icon="LOCKED")
