"""How fields are drawn: a label, its value, and at the end of the row how it varies from frame to frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import bpy

from blender_addon.ui import quantities, schema, words
from blender_addon.ui.properties import channels
from blender_addon.ui.schema import Field, SectionFields

PLACEMENT_NEEDS = {"poisson_disk": "spacing_mm", "edge": "reach_mm", "at": "of", "along": "of"}
LABEL_SHARE = 0.4  # of a row, as Blender's own split layouts have it


def draw_section(layout: bpy.types.UILayout, group: Any, section: SectionFields, skip: Iterable[str] = ()) -> None:
    """Draw the fields of a section's group, but for those to skip."""
    column = layout.column()
    left_out = set(skip)
    for field in section.fields:
        follows = (section.key, field.name) in schema.FOLLOWS
        if field.name in left_out or (follows and not schema.is_used(section.key, field, group)):
            continue
        draw_field(column, group, replace(field, optional=False) if follows else field)


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
                named = f"{words.label(field.name)} {axis.upper()}" if axis == "x" else axis.upper()
                padded(column).prop(group, f"{field.name}_{axis}", text=named)
        case "number":
            if field.optional:
                row = optional_row(layout, group, field)
                row.prop(group, field.name, text="")
                row.label(text="", icon="BLANK1")
            else:
                padded(layout).prop(group, field.name)
        case "choice":
            padded(layout).prop(group, field.name)
        case "flag" | "text":
            padded(layout).prop(group, field.name)
        case "section" | "clearances":
            pass  # in panels of their own


def labelled_row(layout: bpy.types.UILayout, text: str) -> bpy.types.UILayout:
    """A row whose label stands where Blender's split layouts have it; gives the rest of the row."""
    split = layout.split(factor=LABEL_SHARE, align=True)
    left = split.row()
    left.alignment = "RIGHT"
    left.label(text=text)
    right = split.row(align=True)
    right.use_property_split = False
    return right


def optional_row(layout: bpy.types.UILayout, group: Any, field: Field) -> bpy.types.UILayout:
    """A row that begins with the switch of an optional field; gives the rest of the row, grey while it is off."""
    right = labelled_row(layout, words.label(field.name))
    right.prop(group, f"use_{field.name}", text="")
    rest = right.row(align=True)
    rest.active = getattr(group, f"use_{field.name}")
    return rest


def draw_quantity(layout: bpy.types.UILayout, group: Any, field: Field, label: str | None = None) -> None:
    """Draw a quantity: one slider where it is fixed, otherwise what its distribution needs, on few rows."""
    form = getattr(group, f"{field.name}_form")
    text = words.label(field.name) if label is None else label
    column = layout.column(align=True)
    row = optional_row(column, group, field) if field.optional else labelled_row(column, text)
    name = field.name
    if form == quantities.FIXED:
        row.prop(group, name, text="", slider=is_slider(field))
    elif form in (quantities.UNIFORM, quantities.LOG_UNIFORM):
        row.prop(group, f"{name}_low", text="")
        row.prop(group, f"{name}_high", text="")
    elif form == quantities.CHOICE:
        row.alert = not _is_list(getattr(group, f"{name}_values"))
        row.prop(group, f"{name}_values", text="")
    elif form == quantities.POISSON:
        row.prop(group, f"{name}_mean", text="")
    else:
        row.prop(group, f"{name}_mean", text="")
        row.prop(group, f"{name}_deviation", text="")
    row.prop(group, f"{name}_form", text="", icon_only=True)
    if form == quantities.NORMAL:
        ends = labelled_row(column, "Clip")
        ends.prop(group, f"{name}_clipped", text="")
        rest = ends.row(align=True)
        rest.active = getattr(group, f"{name}_clipped")
        rest.prop(group, f"{name}_low", text="")
        rest.prop(group, f"{name}_high", text="")
        ends.label(text="", icon="BLANK1")


def is_slider(field: Field) -> bool:
    """Whether a fixed value is drawn with a bar, as shares and what goes from -1 to 1 are."""
    return field.low is not None and field.high is not None and field.high - field.low <= 2 and not field.whole


def draw_colour(layout: bpy.types.UILayout, group: Any, field: Field) -> None:
    """Draw a colour, or its channels where it varies."""
    row = labelled_row(layout, words.label(field.name))
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
    padded(column).prop(placement, "kind")
    needed = PLACEMENT_NEEDS.get(placement.kind)
    for field in schema.sections()["placement"].fields:
        if field.sort == "quantity" and field.name in ("margin_mm", needed):
            draw_quantity(column, placement, replace(field, optional=False))
    if needed == "of":
        column.operator_context = "EXEC_DEFAULT"
        row = labelled_row(column, words.label("of"))
        row.menu("BLEMISH_MT_placement_of", text=words.kind_label(placement.of) if placement.of else "Choose")
        row.label(text="", icon="BLANK1")
    for number, clearance in enumerate(placement.keep_off_mm):
        row = labelled_row(column, f"Off {words.kind_label(clearance.kind)}")
        row.prop(clearance, "clearance_mm", text="")
        row.operator("blemish.keep_off_remove", text="", icon="X").number = number
    row = labelled_row(column, "")
    row.menu("BLEMISH_MT_keep_off", text="Keep Off", icon="ADD")
    row.label(text="", icon="BLANK1")


def padded(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """A row in a split layout that leaves the room at its end that other rows have their form in."""
    row = layout.row(align=True)
    row.use_property_decorate = False
    inner = row.row(align=True)
    inner.use_property_split = True
    row.label(text="", icon="BLANK1")
    return inner


def _is_list(listed: str) -> bool:
    try:
        return bool(quantities.numbers(listed))
    except ValueError:
        return False
