"""Sentences in panels: Blender's labels cut off what does not fit, so they are broken into lines here."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpy

LETTER = 6.3  # width of an average letter of Blender's interface, in pixels at a scale of 1
MARGINS = 62  # of a panel, with an icon's column and the scroll bar
FEWEST = 16  # letters a line, however narrow the panel


def fitting(text: str, width: float, scale: float) -> list[str]:
    """A text's lines in a panel of this width in pixels, at this scale of the interface."""
    letters = max(FEWEST, int((width / scale - MARGINS) / LETTER))
    return [
        line
        for paragraph in text.splitlines()
        for line in textwrap.wrap(paragraph, letters, break_long_words=True, break_on_hyphens=False)
    ]


def draw(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    text: str,
    *,
    icon: str = "NONE",
    width: float | None = None,
) -> None:
    """Put a text into a layout, in as many lines as the region's width asks for; the icon stands by the first."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    indent = "BLANK1" if icon != "NONE" else "NONE"
    found = fitting(text, width or context.region.width, context.preferences.system.ui_scale)
    for number, line in enumerate(found):
        column.label(text=line, icon=icon if number == 0 else indent, translate=False)
