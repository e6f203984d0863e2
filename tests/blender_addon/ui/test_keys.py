"""The tab's keys take none of Blender's own."""

from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")
import blender_addon  # noqa: E402 - needs bpy
from blender_addon.ui import keys  # noqa: E402

pytestmark = pytest.mark.render

MODES = (
    "3D View", "3D View Generic", "Object Mode", "Mesh", "Sculpt", "Weight Paint", "Vertex Paint", "Window", "Screen",
    "Screen Editing", "User Interface", "Frames", "Object Non-modal",
)  # fmt: skip


def test_no_key_of_blenders_is_taken() -> None:
    found = next(
        path
        for folder in (bpy.utils.resource_path("SYSTEM"), bpy.utils.resource_path("LOCAL"), *bpy.utils.script_paths())
        for path in Path(folder).glob("**/presets/keyconfig/keymap_data/blender_default.py")
    )
    scope: dict[str, object] = {}
    exec(compile(found.read_text(encoding="utf-8"), str(found), "exec"), scope)
    generate, parameters = scope["generate_keymaps"], scope["Params"]
    taken = set()
    for name, _, content in generate(parameters()):  # type: ignore[operator]
        if name in MODES:
            for _, event, _ in content["items"]:
                if event.get("shift") and event.get("alt") and not event.get("ctrl"):
                    taken.add(event["type"])
    assert taken
    assert taken.isdisjoint(key for _, key, _ in keys.KEYS)


def test_every_key_does_what_is_there() -> None:
    blender_addon.register()
    try:
        for operator, _, options in keys.KEYS:
            module, _, name = operator.partition(".")
            properties = getattr(getattr(bpy.ops, module), name).get_rna_type().properties
            assert set(options) <= set(properties.keys())
            if operator == "wm.call_menu":
                assert hasattr(bpy.types, options["name"])
    finally:
        blender_addon.unregister()
    assert len(keys.LABELS) == len(keys.KEYS)
