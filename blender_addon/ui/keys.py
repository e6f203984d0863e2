"""Keys of the 3D view: the menu of what the tab does, and the next and the last frame."""

from __future__ import annotations

from typing import Any

import bpy

KEYMAP = "3D View"
# (operator, key, the operator's options), each with Shift and Alt, which Blender's own keys of the 3D view leave free.
KEYS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("wm.call_menu", "B", {"name": "BLEMISH_MT_blemish"}),
    ("blemish.frame_step", "PAGE_DOWN", {"step": 1}),
    ("blemish.frame_step", "PAGE_UP", {"step": -1}),
)
LABELS = ("Blemish's Menu", "Next Frame", "Last Frame")  # in the preferences, where the keys can be changed

_registered: list[tuple[Any, Any]] = []


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The keys, to be changed."""
    keymap = context.window_manager.keyconfigs.user.keymaps.get(KEYMAP)
    items = [item for item in keymap.keymap_items if _number_of(item) >= 0] if keymap is not None else []
    column = layout.column(heading="Keys") if items else layout
    for item in sorted(items, key=_number_of):
        column.prop(item, "type", text=LABELS[_number_of(item)], full_event=True)


def _number_of(item: Any) -> int:
    """Which of KEYS an item of the user's keymap is; -1 for another."""
    for number, (operator, _, options) in enumerate(KEYS):
        if item.idname == operator and all(getattr(item.properties, name) == value for name, value in options.items()):
            return number
    return -1


def register() -> None:
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is None:  # without a window there are none
        return
    keymap = configuration.keymaps.new(name=KEYMAP, space_type="VIEW_3D")
    for operator, key, options in KEYS:
        item = keymap.keymap_items.new(operator, key, "PRESS", shift=True, alt=True)
        for name, value in options.items():
            setattr(item.properties, name, value)
        _registered.append((keymap, item))


def unregister() -> None:
    while _registered:
        keymap, item = _registered.pop()
        keymap.keymap_items.remove(item)
