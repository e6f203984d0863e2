"""How fields are drawn: a label, its value, and at the end of the row how it varies from frame to frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import bpy

from blender_addon.ui import schema
from blender_addon.ui.recipe import quantities
from blender_addon.ui.recipe.section_properties import channels
from blender_addon.ui.schema import Field, SectionFields
from blender_addon.ui.sidebar import labelled_prop, labelled_row
from blender_addon.ui.words import say

PLACEMENT_NEEDS = {"poisson_disk": "spacing_mm", "edge": "reach_mm", "at": "of", "along": "of"}
PART_LABELS = {"high": "to", "deviation": "±"}
FORM_UNITS = 1.6  # width of the menu of forms beside the first number, in Blender's own unit
NARROW = 370  # pixels at a scale of 1, below which two numbers and their units do not fit a row


def draw_section(layout: bpy.types.UILayout, group: Any, section: SectionFields, skip: Iterable[str] = ()) -> None:
    """Draw the fields of a section's group, but for those to skip."""
    column = layout.column()
    left_out = set(skip)
    for field in section.fields:
        if field.name in left_out or (field.follows and not schema.is_used(field, group)):
            continue
        draw_field(column, group, replace(field, optional=False) if field.follows else field)


def draw_field(layout: bpy.types.UILayout, group: Any, field: Field) -> None:
    """Draw one field."""
    match field.sort:
        case "quantity":
            draw_quantity(layout, group, field)
        case "colour":
            draw_colour(layout, group, field)
        case "pair":
            column = layout.column(align=True)
            for axis in "xy":
                labelled_prop(column, group, f"{field.name}_{axis}")
        case "number":
            field_row(layout, group, field, field.label).prop(group, field.name, text="")
        case "choice":
            labelled_prop(layout, group, field.name)
        case "flag":
            draw_flag(layout, group, field.name)
        case "text" if not field.optional:
            labelled_prop(layout, group, field.name)
        case _:
            pass  # in panels of their own, or nobody's to change


def field_row(layout: bpy.types.UILayout, group: Any, field: Field, label: str) -> bpy.types.UILayout:
    """The rest of a field's row behind its label and, of an optional field, its switch; grey while that is off.

    Where the panel is narrow, an optional field has a row of its own below its switch.
    """
    if not field.optional:
        return labelled_row(layout, label)
    if is_narrow():
        return _below_switch(layout, group, f"use_{field.name}")
    return _beside_switch(labelled_row(layout, label), group, f"use_{field.name}")


def is_folded(group: Any, field: Field) -> bool:
    """Whether nothing of a field but its switch is to be drawn: it is off, and there is little room."""
    return field.optional and is_narrow() and not getattr(group, f"use_{field.name}")


def _beside_switch(row: bpy.types.UILayout, group: Any, switch: str) -> bpy.types.UILayout:
    row.prop(group, switch, text="")
    rest = row.row(align=True)
    rest.active = getattr(group, switch)
    return rest


def _below_switch(layout: bpy.types.UILayout, group: Any, switch: str) -> bpy.types.UILayout:
    draw_flag(layout, group, switch)
    row = layout.row(align=True)
    row.use_property_split = False
    row.active = getattr(group, switch)
    return row


def draw_quantity(layout: bpy.types.UILayout, group: Any, field: Field, label: str | None = None) -> None:
    """Draw a quantity: one slider where it is fixed, otherwise what its distribution needs, on few rows."""
    if is_folded(group, field):
        draw_flag(layout, group, f"use_{field.name}")
        return
    name = field.name
    form = getattr(group, f"{name}_form")
    column = layout.column(align=True)
    row = field_row(column, group, field, field.label if label is None else label)
    pair = {
        quantities.UNIFORM: ("low", "high"),
        quantities.LOG_UNIFORM: ("low", "high"),
        quantities.NORMAL: ("mean", "deviation"),
    }.get(form)
    if pair is not None:
        _draw_pair(column, row, group, field, pair, breaks=is_narrow() and not field.optional)
    elif form == quantities.CHOICE:
        row.alert = not _is_list(getattr(group, f"{name}_values"))
        row.prop(group, f"{name}_values", text="")
        row.alert = False
    elif form == quantities.POISSON:
        row.prop(group, f"{name}_mean", text="")
    else:
        row.prop(group, name, text="", slider=is_slider(field))
    row.prop(group, f"{name}_form", text="", icon_only=True)
    if form == quantities.NORMAL:
        switch = f"{name}_clipped"
        narrow = is_narrow()
        rest = (
            _below_switch(column, group, switch)
            if narrow
            else _beside_switch(labelled_row(column, "Clip"), group, switch)
        )
        _draw_pair(column, rest, group, field, ("low", "high"), breaks=False)
        if not narrow:
            rest.label(text="", icon="BLANK1")


def _draw_pair(
    column: bpy.types.UILayout,
    row: bpy.types.UILayout,
    group: Any,
    field: Field,
    parts: tuple[str, str],
    *,
    breaks: bool,
) -> None:
    """Draw two numbers in a row, or if it breaks the second in a row below."""
    first, second = (f"{field.name}_{part}" for part in parts)
    row.prop(group, first, text="")
    if not breaks:
        row.prop(group, second, text="")
        return
    below = labelled_row(column, PART_LABELS[parts[1]])
    below.active = row.active
    below.prop(group, second, text="")
    blank = below.row()
    blank.ui_units_x = FORM_UNITS
    blank.label(text="")


def is_narrow() -> bool:
    """Whether the panel has no room for two numbers in a row."""
    region = bpy.context.region
    return region is not None and region.width < NARROW * bpy.context.preferences.system.ui_scale


def is_slider(field: Field) -> bool:
    """Whether a fixed value is drawn with a bar, as shares and what goes from -1 to 1 are."""
    return field.low is not None and field.high is not None and field.high - field.low <= 2 and not field.whole


def draw_flag(layout: bpy.types.UILayout, group: Any, name: str) -> None:
    """Draw a check box with all of the width for its text."""
    row = layout.row()
    row.use_property_split = False
    row.prop(group, name)


def draw_colour(layout: bpy.types.UILayout, group: Any, field: Field) -> None:
    """Draw a colour, or its channels where it varies."""
    if is_folded(group, field):
        draw_flag(layout, group, f"use_{field.name}")
        return
    row = field_row(layout, group, field, field.title)
    varies = getattr(group, f"{field.name}_varies")
    if varies:
        row.label(text="")
    else:
        row.prop(group, field.name, text="")
    row.prop(group, f"{field.name}_varies", text="", icon="MOD_NOISE")
    if varies:
        column = layout.column(align=True)
        for channel in channels(field):
            draw_quantity(column, group, channel, channel.name.rpartition("_")[2].capitalize())


def draw_placement(layout: bpy.types.UILayout, group: Any) -> None:
    """Draw where things lie; grey where nothing is said of it."""
    column = layout.column()
    column.active = group.use_placement
    placement = group.placement
    labelled_prop(column, placement, "kind")
    needed = PLACEMENT_NEEDS.get(placement.kind)
    fields = {field.name: field for field in schema.sections()["placement"].fields}
    for field in fields.values():
        if field.sort == "quantity" and field.name in ("margin_mm", needed):
            draw_quantity(column, placement, replace(field, optional=False))
    if needed == "of":
        column.operator_context = "EXEC_DEFAULT"
        row = labelled_row(column, fields["of"].title)
        row.menu("BLEMISH_MT_placement_of", text=schema.title_of(placement.of) if placement.of else say("Choose"))
        row.label(text="", icon="BLANK1")
    for number, clearance in enumerate(placement.keep_off_mm):
        row = labelled_row(column, say("Off {things}", things=say(schema.title_of(clearance.kind))))
        row.prop(clearance, "clearance_mm", text="")
        row.operator("blemish.keep_off_remove", text="", icon="X").number = number
    row = labelled_row(column, "")
    row.menu("BLEMISH_MT_keep_off", text="Keep Off", icon="ADD")
    row.label(text="", icon="BLANK1")


def _is_list(listed: str) -> bool:
    try:
        return bool(quantities.numbers(listed))
    except ValueError:
        return False
