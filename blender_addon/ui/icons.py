"""Icons of our own: a swatch of each class's colour, and small pictures from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy.utils.previews

from blender_addon.ui.class_colours import CLASS_COLOURS

SIDE = 16  # pixels of a swatch
BORDER = 2
PICTURES_KEPT = 8

_swatches: Any = None  # Blender's collections of previews, while the add-on is registered
_pictures: Any = None


def swatch(bit: int) -> int:
    """The icon of a class's colour; 0, which draws nothing, for a bit beyond the masks'."""
    if _swatches is None or not 0 <= bit < len(CLASS_COLOURS):
        return 0
    name = str(bit)
    if name not in _swatches:
        icon = _swatches.new(name)
        icon.icon_size = (SIDE, SIDE)
        clear, full = (0.0, 0.0, 0.0, 0.0), (*CLASS_COLOURS[bit], 1.0)
        inside = range(BORDER, SIDE - BORDER)
        icon.icon_pixels_float = [
            number for row in range(SIDE) for column in range(SIDE)
            for number in (full if row in inside and column in inside else clear)
        ]  # fmt: skip
    return int(_swatches[name].icon_id)


def thumbnail(path: Path) -> int:
    """The icon of a picture as it is on disk now; 0 where there is none, which draws nothing."""
    try:
        name = f"{path}:{path.stat().st_mtime_ns}"
    except OSError:
        return 0
    if _pictures is None:
        return 0
    if name not in _pictures:
        if len(_pictures) >= PICTURES_KEPT:
            _pictures.clear()
        _pictures.load(name, str(path), "IMAGE")
    return int(_pictures[name].icon_id)


def register() -> None:
    global _swatches, _pictures
    _swatches, _pictures = bpy.utils.previews.new(), bpy.utils.previews.new()


def unregister() -> None:
    global _swatches, _pictures
    bpy.utils.previews.remove(_swatches)
    bpy.utils.previews.remove(_pictures)
    _swatches = _pictures = None
