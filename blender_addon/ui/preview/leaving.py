"""Taking Blemish out of a scene: the file is then as it was, but for what the user did."""

from __future__ import annotations

import bpy

from blender_addon.ui import changes
from blender_addon.ui.preview import source
from blender_addon.ui.preview.ownership import PART, discard_object, is_in, is_own, own_scenes
from blender_addon.ui.preview.stage import remove_stage

SETTINGS = ("blemish", "blemish_dataset", "blemish_learn")  # of a scene

_settled: set[str] = set()  # names of scenes that were left after the user's last step, which an undo takes back


def take_away(blender_scene: bpy.types.Scene, *, settings: bool = False) -> None:
    """Remove the part, the camera and the lights, and give back the original, the scene's own camera, world and size.

    settings: those of the tab as well, the recipe among them.
    """
    preview = blender_scene.blemish.preview
    with changes.quiet():
        remove_stage(blender_scene)
        preview.stage = False
        source.give_back(blender_scene)
        preview.was_solid = False
        shown, preview.object = preview.object, None
        if is_own(shown, PART):
            _remove(blender_scene, shown)
        if settings:
            for name in SETTINGS:
                blender_scene.property_unset(name)


def is_deserted(blender_scene: bpy.types.Scene) -> bool:
    """Whether the user has deleted the part, which a pointer of ours still keeps."""
    shown = blender_scene.blemish.preview.object
    return shown is not None and not is_in(blender_scene, shown)


def settle() -> None:
    """Take Blemish out of the scenes whose part the user has deleted."""
    for blender_scene in own_scenes():
        if is_deserted(blender_scene):
            take_away(blender_scene)
            _settled.add(blender_scene.name)


def settle_after_undo() -> None:
    """Do what followed the user's steps at the point that an undo or redo has led to."""
    for blender_scene in own_scenes():
        if is_in(blender_scene, blender_scene.blemish.preview.object) and blender_scene.name in _settled:
            source.keep_hidden(blender_scene)
            _settled.discard(blender_scene.name)
    settle()


def settle_after_opening() -> None:
    """What a file does not keep: that an original which it only links is hidden."""
    _settled.clear()
    for blender_scene in own_scenes():
        original = blender_scene.blemish.preview.source
        if original is not None and original.library is not None:
            source.keep_hidden(blender_scene)


def _remove(blender_scene: bpy.types.Scene, shown: bpy.types.Object) -> None:
    """Remove the part, but where another scene shows it too."""
    for collection in (blender_scene.collection, *blender_scene.collection.children_recursive):
        if shown.name in collection.objects and collection.objects[shown.name] == shown:
            collection.objects.unlink(shown)
    if not any(is_in(other, shown) for other in bpy.data.scenes):
        discard_object(shown)
