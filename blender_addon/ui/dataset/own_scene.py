"""What the panel Dataset's settings mean where this very scene is rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from blender_addon.ui.dataset.properties import SCENE
from blender_addon.ui.recipe.exchange import scene_section

BETWEEN = ", "  # names of inspected objects
USUAL = {"surface": "own", "cameras": "scene"}  # what the recipe's own section may say otherwise
NEVER_SAVED = "Save this file first: rendering opens it in processes of their own."
UNSAVED = "Changes since the file was saved are not rendered: save it to render them."


def section_of(context: bpy.types.Context) -> dict[str, Any] | None:
    """The section `scene` of the recipe to render; None for Blemish's stage."""
    settings = context.scene.blemish_dataset
    if settings.where != SCENE:
        return None
    section = {**USUAL, **(scene_section(context.scene.blemish) or {})}
    section |= {name: getattr(settings, name) for name in USUAL if getattr(settings, name) != USUAL[name]}
    if names := [name.strip() for name in settings.inspected.split(BETWEEN.strip()) if name.strip()]:
        section["inspect"] = names
    return section


def options_of(context: bpy.types.Context) -> dict[str, Any]:
    """What `render_dataset` is to be told beside the recipe. Raises RenderError where the file was never saved."""
    from blender_addon.errors import RenderError

    if context.scene.blemish_dataset.where != SCENE:
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


def selected(context: bpy.types.Context) -> list[str]:
    """Names of the selected objects that can be inspected."""
    from blender_addon.rendering.mesh_export import SOLID

    return [thing.name for thing in context.selected_objects if thing.type in SOLID or thing.instance_type != "NONE"]
