"""Icons: Blender's own for the kinds, and a swatch of each class's colour."""

from __future__ import annotations

from typing import Any

from blender_addon.ui.preview.overlay import CLASS_COLOURS

GROUPS = {"part": "MESH_CUBE", "finish": "MATERIAL", "defects": "MOD_FLUIDSIM", "impurities": "BRUSHES_ALL"}
SIDE = 16  # pixels
BORDER = 2

_swatches: Any = None


def swatch(bit: int) -> int:
    """The icon of a class's colour; 0, which draws nothing, for a bit beyond the masks'."""
    global _swatches
    if not 0 <= bit < len(CLASS_COLOURS):
        return 0
    if _swatches is None:
        from bpy.utils import previews

        _swatches = previews.new()
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


def register() -> None:
    """Nothing yet: swatches are made when they are first shown."""


def unregister() -> None:
    global _swatches
    if _swatches is not None:
        from bpy.utils import previews

        previews.remove(_swatches)
        _swatches = None
