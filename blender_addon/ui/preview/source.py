"""The object of the user's that the part stands in for: hidden while it does, and given back as it was."""

from __future__ import annotations

import json

import bpy

from blender_addon.ui.preview.ownership import is_in


def hide(blender_scene: bpy.types.Scene) -> None:
    """Hide the original from this scene's views and from renders, where both in one place would be seen as speckles."""
    preview = blender_scene.blemish.preview
    source = preview.source
    layers = [layer for layer in blender_scene.view_layers if layer.objects.get(source.name) == source]
    shown_in = [layer.name for layer in layers if not source.hide_get(view_layer=layer)]
    if not preview.hides_source:
        preview.hidden_in, preview.hidden_render = "[]", False
    preview.hidden_in = json.dumps(json.loads(preview.hidden_in) + shown_in)
    preview.hidden_render = preview.hidden_render or not source.hide_render
    preview.hides_source = True
    keep_hidden(blender_scene)


def keep_hidden(blender_scene: bpy.types.Scene) -> None:
    """Hide it again where an undo, or opening a file that links it, has brought it back beside the part."""
    preview = blender_scene.blemish.preview
    source = preview.source
    if not preview.hides_source or source is None:
        return
    if preview.hidden_render and not source.hide_render:
        source.hide_render = True
    for name in json.loads(preview.hidden_in):
        layer = blender_scene.view_layers.get(name)
        if layer is not None and layer.objects.get(source.name) == source and not source.hide_get(view_layer=layer):
            source.hide_set(True, view_layer=layer)


def give_back(blender_scene: bpy.types.Scene) -> None:
    """Show the original where it was shown before it was hidden, and think of it no more."""
    preview = blender_scene.blemish.preview
    source, preview.source = preview.source, None
    if preview.hides_source and is_in(blender_scene, source):
        if preview.hidden_render:
            source.hide_render = False
        for name in json.loads(preview.hidden_in):
            layer = blender_scene.view_layers.get(name)
            if layer is not None and layer.objects.get(source.name) == source:
                source.hide_set(False, view_layer=layer)
    for name in ("hides_source", "hidden_in", "hidden_render"):
        preview.property_unset(name)
