"""What all panels of the tab in the 3D view's sidebar have in common."""

from __future__ import annotations

from typing import Any

import bpy

from blender_addon.ui import lines
from blender_addon.ui.words import say

LABEL_SHARE = 0.4  # of a row, as Blender's own split layouts have it


class SidebarPanel:
    """A panel of the tab; `bl_order` is that of the work: 0 Part, 1 Surface, 2 Preview, 3 Imaging, 4 Dataset, 5 Learn,
    6 Recipe."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Blemish"
    layout: bpy.types.UILayout  # where Blender has it drawn


def split_labels(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """Have a panel's layout draw the labels of properties in a column of their own, as all panels begin."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout


def labelled_row(layout: bpy.types.UILayout, text: str, *, above: bool = False) -> bpy.types.UILayout:
    """A row whose label stands where Blender's split layouts have it; gives the rest of the row.

    Where the label would be cut off there, or shall stand above, it does, and the row has all of the width.
    """
    if above or not lines.fits(say(text), LABEL_SHARE):
        column = layout.column(align=True)
        column.label(text=text)
        row = column.row(align=True)
        row.use_property_split = False
        return row
    split = layout.split(factor=LABEL_SHARE, align=True)
    left = split.row()
    left.alignment = "RIGHT"
    left.label(text=text)
    right = split.row(align=True)
    right.use_property_split = False
    return right


def labelled_prop(layout: bpy.types.UILayout, owner: Any, name: str, **options: Any) -> None:
    """A property behind its label, wherever there is room for that."""
    labelled_row(layout, owner.bl_rna.properties[name].name).prop(owner, name, text="", **options)
