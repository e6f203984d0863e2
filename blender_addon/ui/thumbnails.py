"""Pictures from disk, shown small in panels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

KEPT = 8

_pictures: Any = None


def icon_of(path: Path) -> int:
    """The icon of a picture as it is on disk now; 0 where there is none, which draws nothing."""
    try:
        name = f"{path}:{path.stat().st_mtime_ns}"
    except OSError:
        return 0
    if _pictures is None:
        return 0
    if name not in _pictures:
        if len(_pictures) >= KEPT:
            _pictures.clear()
        _pictures.load(name, str(path), "IMAGE")
    return int(_pictures[name].icon_id)


def register() -> None:
    global _pictures
    import bpy.utils.previews

    _pictures = bpy.utils.previews.new()


def unregister() -> None:
    global _pictures
    bpy.utils.previews.remove(_pictures)
    _pictures = None
