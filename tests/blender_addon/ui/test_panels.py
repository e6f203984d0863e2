"""Every panel, list and menu of the tab draws: all properties, operators, menus and icons that it names are there."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from blender_addon.ui import lines, schema
from scenes import load_recipe
from scenes.recipes.examples import catalogue, example
from scenes.recipes.reading import shipped_recipes

bpy = pytest.importorskip("bpy")
from blender_addon.ui.preview import panels as preview_panels  # noqa: E402
from blender_addon.ui.preview import viewport  # noqa: E402
from blender_addon.ui.recipe import exchange, lists, panels, rows  # noqa: E402
from blender_addon.ui.recipe.operators import files  # noqa: E402

pytestmark = pytest.mark.render
ICONS = set(bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys())


class Call:
    """What `operator` gives: the operator's options, which must exist."""

    def __init__(self, name: str) -> None:
        module, _, plain = name.partition(".")
        options = getattr(getattr(bpy.ops, module), plain).get_rna_type().properties.keys()
        object.__setattr__(self, "options", options)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self.options, name


class Layout:
    """Stands in for Blender's, which exists in a window only, and checks what it is asked for."""

    def __init__(self, drawn: list[str]) -> None:
        self.drawn = drawn
        self.active = self.alert = True

    def part(self, **_: Any) -> "Layout":
        return Layout(self.drawn)

    row = column = split = box = part

    def note(self, name: str, icon: str = "NONE", **_: Any) -> None:
        assert icon in ICONS, icon
        self.drawn.append(name)

    def prop(self, data: Any, name: str, text: str | None = None, icon: str = "NONE", **options: Any) -> None:
        assert data.bl_rna.properties.get(name) is not None, name
        assert set(options) <= {"slider", "icon_only", "emboss", "expand", "icon_value", "toggle"}
        self.note(name, icon)

    def label(self, text: str = "", icon: str = "NONE", icon_value: int = 0, translate: bool = True) -> None:
        self.note(text, icon)

    def operator(self, name: str, text: str = "", icon: str = "NONE", **_: Any) -> Call:
        self.note(name, icon)
        return Call(name)

    def menu(self, name: str, text: str = "", icon: str = "NONE") -> None:
        assert hasattr(bpy.types, name), name
        self.note(name, icon)

    def template_list(self, name: str, _: str, data: Any, items: str, active: Any, index: str, **__: Any) -> None:
        assert hasattr(bpy.types, name), name
        assert {items, index} <= set(data.bl_rna.properties.keys())

    def separator(self, **_: Any) -> None:
        pass


def drawn(scene: Any, *wanted: str) -> list[str]:
    """All that the tab's own panels draw of a scene; `wanted` names of panels, or else all of them."""
    preferences = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))
    region = SimpleNamespace(width=500)
    context = SimpleNamespace(
        scene=scene, region=region, preferences=preferences, mode="OBJECT", active_object=bpy.context.active_object
    )
    found: list[str] = []
    for panel in (*panels.CLASSES, *preview_panels.CLASSES):
        if (wanted and panel.__name__ not in wanted) or not getattr(panel, "poll", lambda _: True)(context):
            continue
        for name in ("draw_header", "draw_header_preset", "draw"):
            if hasattr(panel, name):
                own = {key: value for key, value in vars(panel).items() if key == "group"}
                stand_in = SimpleNamespace(layout=Layout(found), **own)
                getattr(panel, name)(stand_in, context)
    return found


@pytest.fixture(params=[False, True], ids=["wide", "narrow"])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "is_narrow", lambda: request.param)
    monkeypatch.setattr(lines, "fits", lambda text, share: not request.param)


@pytest.mark.usefixtures("width")
def test_panels_draw_before_anything_is_there(scene: Any) -> None:
    found = drawn(scene)
    assert "mesh.blemish_part_add" in found
    assert "blemish.recipe_load" in found


@pytest.mark.usefixtures("width")
@pytest.mark.parametrize("group", ["part", "finish", "defects", "impurities"])
def test_panels_draw_every_field_of_every_kind(group: Any, scene: Any) -> None:
    for kind in catalogue()[group]:
        for recipe in example(group, kind).recipes[:1]:
            exchange.from_recipe(recipe, scene.blemish)
        if group in ("defects", "impurities"):
            entries = [layer.kind for layer in scene.blemish.layers]
            scene.blemish.active_layer = entries.index(kind)
        found = drawn(scene)
        section = schema.section_of_kind()[kind]
        for field in section.fields:
            names = {field.name, *(f"{field.name}_{part}" for part in ("low", "mean", "values", "varies", "x"))}
            hidden = field.sort in ("section", "clearances") or (field.sort == "text" and field.optional)
            folded = rows.is_narrow() and f"use_{field.name}" in found
            assert hidden or folded or field.follows or names & set(found), (kind, field.name)


def test_the_panel_tells_what_is_wrong(scene: Any) -> None:
    exchange.from_recipe(load_recipe("plate"), scene.blemish)
    bpy.ops.mesh.blemish_part_add(kind="plate")
    scene.blemish.part.plate.width_mm_form, scene.blemish.part.plate.width_mm_values = "CHOICE", "wide"
    assert "Plate, Width" in viewport.update(scene).problem
    assert any("Plate, Width" in text for text in drawn(scene, "BLEMISH_PT_preview"))


def test_the_list_shows_each_layer_and_finds_by_name(scene: Any) -> None:
    exchange.from_recipe(load_recipe("plate"), scene.blemish)
    found: list[str] = []
    for layer in scene.blemish.layers:
        lists.BLEMISH_UL_layers.draw_item(
            SimpleNamespace(), bpy.context, Layout(found), scene.blemish, layer, 0, scene.blemish, "active_layer"
        )
    assert [name for name in found if name not in ("solo", "muted")][:4] == ["Crack", "Scratch", "Dent", "Bump"]
    search = SimpleNamespace(filter_name="sta", bitflag_filter_item=1)
    flags, _ = lists.BLEMISH_UL_layers.filter_items(search, bpy.context, scene.blemish, "layers")
    kinds = [layer.kind for layer, flag in zip(scene.blemish.layers, flags, strict=True) if flag]
    assert kinds == ["water_stains"]


def test_menus_draw(scene: Any) -> None:
    context = SimpleNamespace(scene=scene)
    scene.blemish.part.kind = "pcb"
    found: list[str] = []
    for menu in (
        lists.BLEMISH_MT_layer_add,
        lists.BLEMISH_MT_layer_specials,
        files.BLEMISH_MT_shipped_recipes,
        panels.BLEMISH_MT_blemish,
    ):
        menu.draw(SimpleNamespace(layout=Layout(found)), context)
    assert found.count("blemish.layer_add") == len(catalogue()["defects"]) + len(catalogue()["impurities"])
    assert found.count("blemish.recipe_shipped") == len(shipped_recipes())


def test_registering_imports_no_model_and_no_simulation() -> None:
    code = (
        "import sys, bpy, blender_addon; before = set(sys.modules); blender_addon.register(); "
        "heavy = ('pydantic', 'scipy', 'skimage', 'yaml', 'procgen.surface.noise', 'scenes.recipes.recipe', 'torch', "
        "'numba'); "
        "found = [name for name in heavy if name in set(sys.modules) - before]; "
        "blender_addon.unregister(); blender_addon.register(); blender_addon.unregister(); "
        "assert not hasattr(bpy.types.Scene, 'blemish'); print('found', found)"
    )
    if bpy.app.binary_path:
        pytest.skip("this Blender is no Python that a child could be")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "found []" in run.stdout, run.stdout + run.stderr
