"""Sentences in panels: Blender's labels cut off what does not fit, so they are broken into lines here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpy

LETTER = 6.3  # width of an average letter of Blender's interface, in pixels at a scale of 1
MARGINS = 62  # of a panel, with an icon's column and the scroll bar
FEWEST = 16  # letters a line, however narrow the panel


def wrap(text: str, width: float, scale: float) -> list[str]:
    """A text's lines in a panel of this width in pixels, at this scale of the interface; paths break behind a slash."""
    letters = max(FEWEST, int((width / scale - MARGINS) / LETTER))
    lines = [""]
    for paragraph in text.splitlines():
        for piece in re.findall(r"[^\s/\\]*[/\\]|[^\s/\\]+\s*|\s+", paragraph):
            while len(piece.rstrip()) > letters:
                lines.append(piece[:letters])
                piece = piece[letters:]
            if len(lines[-1]) + len(piece.rstrip()) > letters:
                lines.append("")
            lines[-1] += piece
        lines.append("")
    return [line.strip() for line in lines if line.strip()]


def fits(text: str, share: float) -> bool:
    """Whether a label is not cut off in this share of the width of the region that is being drawn."""
    import bpy

    region = bpy.context.region
    if region is None:
        return True
    room = share * (region.width / bpy.context.preferences.system.ui_scale - MARGINS)
    return bool(len(text) * LETTER <= room)


def path_text(path: Path) -> str:
    """A path as a person writes it, from the home folder where it lies there."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) and path != home else str(path)


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
    found = wrap(text, width or context.region.width, context.preferences.system.ui_scale)
    for number, line in enumerate(found):
        column.label(text=line, icon=icon if number == 0 else indent, translate=False)
