"""The rows on this scene: all fields have one, only where this scene is rendered, and names are picked out of it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blender_addon.ui import changes, schema
from scenes import load_recipe

bpy = pytest.importorskip("bpy")
from blender_addon.ui import lines  # noqa: E402 - needs bpy
from blender_addon.ui.own_scene import contents, panels, rows  # noqa: E402
from blender_addon.ui.recipe import exchange  # noqa: E402
from blender_addon.ui.recipe import rows as recipe_rows  # noqa: E402
from tests.blender_addon.own_scene.files import two_parts  # noqa: E402
from tests.blender_addon.ui.own_scene.test_scene_exchange import EXAMPLES, recipe_with  # noqa: E402
from tests.blender_addon.ui.test_panels import Layout  # noqa: E402

pytestmark = pytest.mark.render
PANELS = [panel for panel in panels.CLASSES if issubclass(panel, bpy.types.Panel)]


@pytest.fixture
def own(settings: Any, tmp_path: Path) -> Any:
    """The panel's settings in a file with a block, two pins, a ball, a floor, a light, two cameras and a collection."""
    two_parts(tmp_path / "mine.blend")
    scene = bpy.context.scene
    chips = bpy.data.collections.new("Chips")
    scene.collection.children.link(chips)
    scene.blemish.where = "SCENE"
    return scene.blemish


def drawn() -> list[str]:
    """All that the rows on this scene draw."""
    found: list[str] = []
    preferences = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))
    context = SimpleNamespace(
        scene=bpy.context.scene, region=SimpleNamespace(width=240), preferences=preferences, selected_objects=[]
    )
    rows.draw_main(Layout(found), context)
    for panel in PANELS:
        if panel.poll(context):
            for name in ("draw_header", "draw_header_preset", "draw"):
                if hasattr(panel, name):
                    getattr(panel, name)(SimpleNamespace(layout=Layout(found), field=panel.field), context)
    return found


@pytest.fixture(params=[False, True], ids=["wide", "narrow"])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_rows, "is_narrow", lambda: request.param)
    monkeypatch.setattr(lines, "fits", lambda text, share: not request.param)


def test_where_there_is_little_room_a_quantity_that_is_off_is_but_its_switch(
    own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy.ops.blemish.scene_entry_add(field="pose")
    for narrow in (False, True):
        monkeypatch.setattr(recipe_rows, "is_narrow", lambda narrow=narrow: narrow)
        found = set(drawn())
        assert {"use_shift_x_mm", "shift_x_mm_low", "shift_x_mm_high", "use_shift_z_mm"} <= found
        assert ("shift_z_mm_low" in found) is not narrow


@pytest.mark.usefixtures("width")
def test_every_field_has_a_row(own: Any) -> None:
    for field in ("pose", "lights", "clutter"):
        assert bpy.ops.blemish.scene_entry_add(field=field) == {"FINISHED"}
    own.scene.cameras = "NAMES"
    lists, switched = {"pose", "lights", "clutter"}, {"conveyor", "resting", "world"}
    switches = {
        f"use_{field.name}"
        for key in (*lists, *switched, "scene")
        for field in schema.sections()[key].fields
        if field.optional
    }
    assert switches <= set(drawn())
    groups = [own.scene, *(getattr(own.scene, name) for name in switched)]
    for group in (*groups, *(getattr(own.scene, name)[0] for name in lists)):
        with changes.quiet():  # also two of which there may be one alone
            for name in switches & set(group.bl_rna.properties.keys()):
                setattr(group, name, True)
    found = set(drawn())
    for key in (*lists, *switched, "scene"):
        for field in schema.sections()[key].fields:
            parts = {field.name, *(f"{field.name}_{part}" for part in ("low", "mean", "values", "names"))}
            assert parts & found or field.name in lists | switched, (key, field.name)


def test_rows_on_this_scene_are_only_there_where_it_is_rendered(own: Any) -> None:
    assert all(panel.poll(bpy.context) for panel in PANELS)
    own.where = "STAGE"
    assert not any(panel.poll(bpy.context) for panel in PANELS)


def test_names_are_picked_out_of_the_scene(own: Any) -> None:
    scene = bpy.context.scene
    assert contents.all_names(scene, "lights") == ["Area"]
    assert contents.all_names(scene, "cameras") == ["Front", "Top"]
    assert contents.all_names(scene, "collections") == ["Chips"]
    assert contents.all_names(scene, "inspect") == ["Ball", "Block", "Floor", "Pin.001", "Pin.002"]
    assert contents.all_names(scene, "onto") == sorted(thing.name for thing in scene.objects)
    for name in ("Pin.001", "Block", "Pin.001"):
        assert bpy.ops.blemish.scene_name_add(name=name) == {"FINISHED"}
    assert own.scene.inspect == "Pin.001, Block"
    with pytest.raises(TypeError, match="Nut"):
        bpy.ops.blemish.scene_name_add(name="Nut")
    bpy.ops.blemish.scene_entry_add(field="clutter")
    bpy.ops.blemish.scene_name_add(owner="blemish.scene.clutter[0]", field="collections", name="Chips")
    assert own.scene.clutter[0].collections == "Chips"
    own.scene.cameras = "NAMES"
    bpy.ops.blemish.scene_name_add(field="cameras", name="Top")
    assert own.scene.cameras_names == "Top"


def test_selected_objects_are_taken_that_fit(own: Any) -> None:
    for thing in bpy.context.scene.objects:
        thing.select_set(thing.name in ("Block", "Area", "Top"))
    taken = {}
    for field in ("inspect", "cameras"):
        bpy.ops.blemish.scene_names_selected(field=field)
    for field in ("pose", "lights", "clutter"):
        bpy.ops.blemish.scene_entry_add(field=field)
        entry = getattr(own.scene, field)[0]
        taken[field] = getattr(entry, schema.sections()[field].fields[0].name)
    assert (own.scene.inspect, own.scene.cameras_names) == ("Block", "Top")
    assert taken == {"pose": "", "lights": "Area", "clutter": "Area, Block, Top"}
    bpy.data.objects["Top"].select_set(False)
    with pytest.raises(RuntimeError, match="None of the selected objects is a camera"):
        bpy.ops.blemish.scene_names_selected(field="cameras")


def test_a_new_entry_differs_from_frame_to_frame_and_is_removed_again(own: Any) -> None:
    own.scene.inspect = "Block"
    bpy.ops.blemish.scene_entry_add(field="pose")
    bpy.ops.blemish.scene_entry_add(field="lights")
    own.scene.lights[0].lights = "Area"
    recipe = exchange.to_recipe(own)
    pose, lights = recipe.scene.pose[0], recipe.scene.lights[0]
    assert pose.objects == ()
    assert pose.shift_x_mm.written() == {"uniform": [-5, 5]}
    assert lights.strength.written() == {"uniform": [0.5, 1.5]}
    bpy.ops.blemish.scene_entry_add(field="pose")
    own.scene.pose[1].objects = "Ball"
    own.scene.active_pose = 0
    assert bpy.ops.blemish.scene_entry_remove(field="pose") == {"FINISHED"}
    assert [entry.objects for entry in own.scene.pose] == ["Ball"]
    assert bpy.ops.blemish.scene_entry_remove(field="clutter") == {"CANCELLED"}


def test_the_list_says_what_each_entry_is_about(own: Any) -> None:
    exchange.from_recipe(load_recipe(EXAMPLES / "nuts_in_a_bin.yaml"), own)
    bpy.ops.blemish.scene_entry_add(field="pose")
    bpy.ops.blemish.scene_entry_add(field="lights")
    own.scene.lights[2].lights = ""
    found: list[str] = []
    for field in ("pose", "lights"):
        for entry in getattr(own.scene, field):
            panels.BLEMISH_UL_scene_entries.draw_item(
                SimpleNamespace(), bpy.context, Layout(found), own.scene, entry, 0, own.scene, f"active_{field}"
            )
    assert found == ["All inspected", "Softbox", "Key", "Nothing yet"]


def test_names_that_nothing_has_are_said(own: Any) -> None:
    own.scene.inspect = "Pin*, Block"
    assert not any("There is nothing" in text for text in drawn())
    own.scene.inspect = "Pin*, Wheel"
    assert "There is nothing in this scene that Wheel names." in " ".join(drawn())
    scene = bpy.context.scene
    assert contents.unmatched(scene, "inspect", "P*n.00?, Wheel, Rack/Nut") == ["Wheel"]
    assert contents.unmatched(scene, "collections", "Chips, Block") == ["Block"]


def test_what_has_no_row_is_said(own: Any) -> None:
    pinned = {"folder": "/rooms", "sha256": {"a.exr": "0" * 64, "b.exr": "0" * 64}}
    exchange.from_recipe(recipe_with({"inspect": ["Block"], "background": pinned}), own)
    assert "no pictures but the 2" in " ".join(drawn())
