"""What is to be minded where this very scene is rendered: the file that it is in, as it is on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from blender_addon.ui.recipe.properties import SCENE

NEVER_SAVED = "Save this file first: rendering opens it in processes of their own."
UNSAVED = "Changes since the file was saved are not rendered: save it to render them."


def options_of(context: bpy.types.Context) -> dict[str, Any]:
    """What `render_dataset` is to be told beside the recipe. Raises RenderError where the file was never saved."""
    from blender_addon.errors import RenderError

    if context.scene.blemish.where != SCENE:
        return {}
    if not bpy.data.filepath:
        raise RenderError(NEVER_SAVED)
    return {"blend": bpy.data.filepath}


def blend_again(folder: Path, blend: Any) -> str:
    """The open file, to go on with a dataset that was begun in one. Raises RenderError where none is open."""
    from blender_addon.errors import RenderError

    opened: str = bpy.data.filepath
    if not opened:
        name = blend.get("name") if isinstance(blend, dict) else blend
        raise RenderError(f"{folder}: was begun in the scene of {name}; expected that file to be open: open it")
    return opened


def unsaved() -> str:
    """What of this scene is not on disk, in words; "" where it is as it is here."""
    if not bpy.data.filepath:
        return NEVER_SAVED
    return UNSAVED if bpy.data.is_dirty else ""
