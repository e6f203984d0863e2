"""What a recipe says of a scene of the user, to the panel and back: nothing is lost, nothing else is said."""

import contextlib
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from pydantic import ValidationError

from blender_addon.ui import schema
from blender_addon.ui.recipe import names
from blender_addon.ui.schema import Field
from scenes import Recipe, load_recipe
from scenes.own_scene import section as own
from scenes.recipes.recipe import recipe_from

bpy = pytest.importorskip("bpy")
from blender_addon.ui.recipe import exchange  # noqa: E402 - needs bpy
from tests.blender_addon.ui.recipe.test_exchange import assert_kept, quantity  # noqa: E402

pytestmark = pytest.mark.render
EXAMPLES = Path(__file__).parents[4] / "tools" / "example_scenes"
MODELS = {
    "pose": own.PoseRecipe,
    "conveyor": own.ConveyorRecipe,
    "resting": own.RestingRecipe,
    "lights": own.LightsRecipe,
    "world": own.WorldRecipe,
    "clutter": own.ClutterRecipe,
    "scene": own.OwnSceneRecipe,
}
LETTERS = st.text("abcNut ,\"'*?[]./äß1", min_size=1, max_size=8)
NAMES = LETTERS.map(str.strip).filter(bool)


def test_scenes_of_the_documentation_are_kept(settings: Any) -> None:
    paths = sorted(EXAMPLES.glob("*.yaml"))
    assert len(paths) == 3
    for path in paths:
        recipe = load_recipe(path)
        assert recipe.scene is not None
        assert_kept(recipe, settings)


def value_of(field: Field) -> st.SearchStrategy[Any]:
    """What a recipe may write of a field, whether or not all of it together is a recipe."""
    match field.sort:
        case "quantity":
            return st.one_of(quantity(field), st.sampled_from([0.0, 1.0, -0.0]))
        case "colour":
            return st.lists(st.one_of(st.floats(0, 1), st.just({"uniform": [0.25, 1.0]})), min_size=3, max_size=3)
        case "number":
            return st.floats(field.low, field.high)
        case "flag":
            return st.booleans()
        case "choice":
            return st.sampled_from(field.choices)
        case "names":
            return st.lists(NAMES, min_size=int(field.low or 0), max_size=3)
        case "word":
            return st.one_of(st.sampled_from(field.choices), st.lists(NAMES, min_size=1, max_size=3))
        case "folder":
            pinned = st.dictionaries(st.sampled_from(["a.exr", "b.png"]), st.just("0" * 64), min_size=1)
            return st.fixed_dictionaries({"folder": st.sampled_from(["/rooms", "/a b"])}, optional={"sha256": pinned})
        case "section":
            return sections(field.name)
        case "entries":
            return st.lists(sections(field.name), max_size=3)
        case _:
            raise AssertionError(field.sort)


@st.composite
def sections(draw_: Any, key: str) -> dict[str, Any]:
    """A section as somebody may write it: what it must have, and some of what it may, where it still is one."""
    fields, model = schema.sections()[key].fields, MODELS[key]
    section = {field.name: draw_(value_of(field)) for field in fields if field.low == 1 and field.sort == "names"}
    if model is own.ClutterRecipe:
        section = {"collections": draw_(st.lists(NAMES, min_size=1, max_size=2)), "probability": draw_(st.floats(0, 1))}
    for field in draw_(st.lists(st.sampled_from(fields), unique_by=lambda field: field.name)):
        tried = {**section, field.name: draw_(value_of(field))}
        with contextlib.suppress(ValidationError):
            model.model_validate(tried)
            section = tried
    return section


def recipe_with(scene: dict[str, Any]) -> Recipe:
    """A recipe with a finish and a sensor, which a scene may ask for."""
    plate = load_recipe("plate").model_dump(mode="json")
    return recipe_from(
        {"name": "random", "scene": scene, "finish": plate["finish"], "sensor": plate["sensor"]}, "random"
    )


@given(scene=sections("scene"))
@how(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_scene_is_kept_to_the_last_digit(scene: dict[str, Any], settings: Any) -> None:
    assert_kept(recipe_with(scene), settings)


def test_a_recipe_without_a_scene_leaves_none(settings: Any) -> None:
    exchange.from_recipe(load_recipe(EXAMPLES / "nuts_in_a_bin.yaml"), settings)
    assert_kept(load_recipe("plate"), settings)
    assert_kept(recipe_with({"inspect": ["A"]}), settings)  # and nothing of the scene before


@given(listed=st.lists(NAMES, max_size=5))
def test_a_line_of_names_stands_for_them(listed: list[str]) -> None:
    assert names.names_in(names.text_of(listed)) == listed


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("", []),
        (" , ,", []),
        ("Nut*,Bolt", ["Nut*", "Bolt"]),
        (' "Nut, big" ,  Bolt M8 ', ["Nut, big", "Bolt M8"]),
        ('"not closed', ["not closed"]),
    ],
)
def test_lines_of_names_are_read_as_they_are_typed(text: str, listed: list[str]) -> None:
    assert names.names_in(text) == listed


def test_what_is_set_by_hand_is_what_the_recipe_says(settings: Any) -> None:
    exchange.from_recipe(recipe_with({"inspect": ["Block"]}), settings)
    scene = settings.scene
    scene.inspect, scene.picture = "Nut*, Bolt", "sensor"
    scene.cameras, scene.cameras_names = "NAMES", "Top, Front"
    scene.use_camera_frame, scene.camera_frame_low, scene.camera_frame_high = True, 1, 60
    scene.use_background, scene.background = True, "/rooms/"
    scene.use_conveyor, scene.conveyor.direction_degrees = True, math.radians(90)
    scene.conveyor.use_travel_mm, scene.conveyor.travel_mm_low, scene.conveyor.travel_mm_high = True, -12, 12
    scene.use_resting, scene.resting.onto = True, "Bin"
    scene.resting.use_count, scene.resting.count_form, scene.resting.count = True, "FIXED", 7
    scene.use_world, scene.world.use_turn_degrees = True, True
    lights = scene.lights.add()
    lights.lights, lights.use_tint, lights.tint = "Key", True, (1, 0.5, 0.25)
    clutter = scene.clutter.add()
    clutter.collections, clutter.probability = "Chips", 0.25
    written = exchange.to_recipe(settings).model_dump(mode="json")["scene"]
    assert (written["inspect"], written["picture"], written["cameras"]) == (
        ["Nut*", "Bolt"],
        "sensor",
        ["Top", "Front"],
    )
    assert written["camera_frame"] == {"uniform": [1, 60]}
    assert written["background"] == {"folder": "/rooms", "sha256": None}
    assert (written["conveyor"]["direction_degrees"], written["conveyor"]["across_mm"]) == (90, 0)
    assert written["conveyor"]["travel_mm"] == {"uniform": [-12, 12]}
    assert (written["resting"]["onto"], written["resting"]["count"]) == (["Bin"], 7)
    assert written["world"] == {"turn_degrees": {"uniform": [0, 360]}, "strength": 1, "hdris": None}
    assert written["lights"][0]["tint"] == [1, 0.5, 0.25]
    assert written["clutter"] == [{"objects": [], "collections": ["Chips"], "probability": 0.25}]
    assert written["pose"] == []


def test_a_switch_that_is_off_changes_nothing(settings: Any) -> None:
    exchange.from_recipe(load_recipe(EXAMPLES / "own_gear.yaml"), settings)
    pose = settings.scene.pose[0]
    assert (pose.use_shift_x_mm, pose.use_shift_z_mm) == (True, False)
    pose.use_shift_x_mm = False
    recipe = exchange.to_recipe(settings)
    assert recipe.scene.pose[0].shift_x_mm.written() == 0
    pose.use_shift_x_mm = True
    assert exchange.to_recipe(settings) == load_recipe(EXAMPLES / "own_gear.yaml")


def test_of_tint_and_temperature_the_one_chosen_last_is_there(settings: Any) -> None:
    exchange.from_recipe(recipe_with({"inspect": ["A"], "lights": [{"lights": ["B"], "tint": [1, 1, 1]}]}), settings)
    lights = settings.scene.lights[0]
    lights.use_temperature_kelvin = True
    assert not lights.use_tint
    assert exchange.to_recipe(settings).scene.lights[0].tint is None
    lights.use_tint = True
    assert exchange.to_recipe(settings).scene.lights[0].temperature_kelvin is None


def test_digests_of_pictures_stay_as_long_as_their_folder(settings: Any) -> None:
    pinned = {"folder": "/rooms", "sha256": {"a.exr": "0" * 64}}
    recipe = recipe_with({"inspect": ["A"], "background": pinned, "world": {"hdris": pinned}})
    assert_kept(recipe, settings)
    background = next(field for field in schema.sections()["scene"].fields if field.name == "background")
    assert exchange.pinned_pictures(settings.scene, background) == 1
    settings.scene.background = "/others"
    assert exchange.pinned_pictures(settings.scene, background) == 0
    assert exchange.to_recipe(settings).scene.background.sha256 is None
    assert exchange.to_recipe(settings).scene.world.hdris.sha256 is not None


def test_folders_of_pictures_are_named_from_where_the_recipe_is_saved(settings: Any, tmp_path: Path) -> None:
    scene = {
        "inspect": ["A"],
        "background": {"folder": str(tmp_path / "beside" / "rooms")},
        "world": {"hdris": {"folder": "/elsewhere"}},
    }
    exchange.from_recipe(recipe_with(scene), settings)
    path = tmp_path / "beside" / "mine.yaml"
    path.parent.mkdir()
    assert bpy.ops.blemish.recipe_save(filepath=str(path)) == {"FINISHED"}
    assert str(tmp_path) not in path.read_text()
    assert load_recipe(path) == exchange.to_recipe(settings)
    settings.scene.inspect = ""
    assert bpy.ops.blemish.recipe_load(filepath=str(path)) == {"FINISHED"}
    assert (settings.where, settings.scene.inspect) == ("SCENE", "A")


@pytest.mark.filterwarnings("ignore:.*blend relative")  # of Blenders whose file browser does not write these
def test_folders_in_the_files_own_terms_are_found(settings: Any, tmp_path: Path) -> None:
    exchange.from_recipe(recipe_with({"inspect": ["A"]}), settings)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    settings = bpy.context.scene.blemish
    settings.scene.use_background, settings.scene.background = True, "//rooms"
    assert exchange.to_recipe(settings).scene.background.folder == str((tmp_path / "rooms").resolve())


def test_presets_of_surfaces_leave_the_scene_as_it_is(settings: Any, user_folder: Path) -> None:
    exchange.from_recipe(load_recipe("plate"), settings)
    settings.where = "SCENE"  # and nothing chosen in it yet
    assert bpy.ops.blemish.preset_add(of="SURFACE", name="mine") == {"FINISHED"}
    settings.layers.clear()
    settings.scene.inspect = "Nut*"
    assert bpy.ops.blemish.preset_apply(of="SURFACE", name="mine") == {"FINISHED"}
    assert (settings.where, settings.scene.inspect) == ("SCENE", "Nut*")
    recipe = exchange.to_recipe(settings)
    assert recipe.defects == load_recipe("plate").defects
    assert recipe.scene.inspect == ("Nut*",)
