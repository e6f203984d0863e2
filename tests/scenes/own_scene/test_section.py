"""The section `scene` of a recipe, and what drawing makes of it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats
from scipy.spatial.transform import Rotation

from procgen.errors import BlemishError
from scenes import RandomStream, Recipe, RecipeError, Scene, draw, load_recipe
from scenes.own_scene.black_body import black_body_colour
from scenes.own_scene.contents import Contents, views
from scenes.own_scene.drawing import draw_variation
from scenes.own_scene.variation import Variation
from scenes.recipes.recipe import recipe_from

NUTS = tuple(f"Nut.{number:03d}" for number in range(6))
CONTENTS = Contents(
    blend="bin.blend",
    objects=("Bin", "Floor", *NUTS, "Washer"),
    inspected=NUTS,
    lights=("Key", "Fill"),
    cameras=("Left", "Right"),
    camera="Left",
    collections=("Clutter",),
)
SCENE = """
inspect: ["Nut*"]
camera_frame: {uniform: [1, 20]}
conveyor: {direction_degrees: 90, travel_mm: {uniform: [0, 100]}, across_mm: {uniform: [-3, 3]}}
pose:
  - {shift_z_mm: 2, turn_x_degrees: {normal: [0, 5], clip: [-10, 10]}}
  - {objects: [Washer], axes: own, turn_z_degrees: {uniform: [0, 360]}}
lights:
  - {lights: ["*"], strength: {log_uniform: [0.5, 2]}, temperature_kelvin: {uniform: [3000, 6500]}}
world: {turn_degrees: {uniform: [0, 360]}, strength: 2}
clutter: [{objects: [Floor], collections: [Clutter], probability: 0.5}]
"""


def recipe(scene: Any, **fields: Any) -> Recipe:
    return recipe_from({"name": "own", "scene": scene, **fields}, "own.yaml")


def variation(scene: Any, index: int = 0, contents: Contents = CONTENTS) -> Variation:
    section = recipe(scene).scene
    assert section is not None
    return draw_variation(section, contents, RandomStream(3, index).at("scene"))


def test_a_scene_alone_is_a_recipe_and_survives_json() -> None:
    read = recipe(yaml.safe_load(SCENE))
    assert Recipe.model_validate_json(read.model_dump_json()) == read
    drawn = variation(yaml.safe_load(SCENE))
    assert Variation.model_validate_json(drawn.model_dump_json()) == drawn


def test_recipes_and_frames_without_a_scene_say_nothing_of_it() -> None:
    plate = load_recipe("plate")
    scene = draw(plate, 0, 0)
    assert "scene" not in plate.model_dump(mode="json")
    assert "variation" not in scene.model_dump(mode="json")
    assert "variation" not in json.loads(scene.model_dump_json())
    with_it = scene.model_copy(update={"variation": variation(yaml.safe_load(SCENE))})
    assert Scene.model_validate_json(with_it.model_dump_json()) == with_it


@pytest.mark.parametrize(
    ("scene", "found"),
    [
        ({}, "scene.inspect: missing; expected this field to be given"),
        ({"inspect": []}, "scene.inspect: found [];"),
        ({"inspect": ["a"], "cameras": "every"}, "scene.cameras: found 'every'; expected scene, all, or a list"),
        ({"inspect": ["a"], "cameras": []}, "scene.cameras: found an empty list; expected scene, all"),
        ({"inspect": ["a"], "surface": "finish"}, "finish: missing"),
        ({"inspect": ["a"], "picture": "sensor"}, "sensor: missing"),
        ({"inspect": ["a"], "resting": {}}, "scene.resting.onto: missing"),
        ({"inspect": ["a"], "clutter": [{"probability": 1}]}, "scene.clutter.0: found neither objects nor"),
        (
            {"inspect": ["a"], "lights": [{"lights": ["b"], "tint": [1, 1, 1], "temperature_kelvin": 3000}]},
            "scene.lights.0: found tint and temperature_kelvin; expected at most one",
        ),
    ],
)
def test_what_is_wrong_is_said_by_field(scene: Any, found: str) -> None:
    with pytest.raises(RecipeError, match=r"own\.yaml") as told:
        recipe(scene)
    assert found in str(told.value)


def test_of_several_cameras_each_is_a_view() -> None:
    for cameras, expected in (("scene", ("Left",)), ("all", ("Left", "Right")), (["R*"], ("Right",))):
        section = recipe({"inspect": ["Nut*"], "cameras": cameras}).scene
        assert section is not None
        assert views(section, CONTENTS) == expected


def test_what_is_not_there_is_told_with_the_field_and_what_is() -> None:
    scene = {"inspect": ["Nut*"], "pose": [{"objects": ["Wascher"], "shift_x_mm": 1}]}
    with pytest.raises(BlemishError, match=r"'Wascher' of the recipe's scene.pose.0.objects names; did you mean Wash"):
        variation(scene)
    with pytest.raises(BlemishError, match=r"bin.blend: Nut.000 is both dropped and moved"):
        variation({"inspect": ["Nut*"], "resting": {"onto": ["Bin"]}, "pose": [{"objects": ["Nut.000"]}]})


def test_shifts_are_metres_and_the_belt_runs_where_it_says() -> None:
    drawn = variation(yaml.safe_load(SCENE))
    carried, posed, washer = drawn.moved[:6], drawn.moved[6:12], drawn.moved[12:]
    assert [move.name for move in carried] == [move.name for move in posed] == list(NUTS)
    assert len({move.shift[1] for move in carried}) == 1  # one belt, along +Y
    assert 0 < carried[0].shift[1] < 0.1
    assert len({move.shift[0] for move in carried}) == 6
    assert all(abs(move.shift[0]) <= 0.003 and move.shift[2] == 0 for move in carried)
    assert all(move.shift[2] == 0.002 and abs(move.turn[0]) <= np.radians(10) for move in posed)
    assert [(move.name, move.axes) for move in washer] == [("Washer", "own")]


def test_an_object_more_changes_no_other_draw() -> None:
    scene = yaml.safe_load(SCENE) | {"conveyor": None, "resting": None}
    more = CONTENTS.model_copy(update={"objects": (*CONTENTS.objects, "Nut.007"), "inspected": (*NUTS, "Nut.007")})
    before, after = variation(scene), variation(scene, contents=more)
    assert set(before.moved) < set(after.moved)
    dropped = {"inspect": ["Nut*"], "resting": {"onto": ["Bin"]}}
    before, after = variation(dropped), variation(dropped, contents=more)
    assert before.drop is not None
    assert after.drop is not None
    assert set(before.drop.things) < set(after.drop.things)


def test_a_part_of_a_bin_hides_the_rest() -> None:
    seen = set()
    for index in range(40):
        drawn = variation({"inspect": ["Nut*"], "resting": {"onto": ["Bin"], "count": {"uniform": [2, 4]}}}, index)
        assert drawn.drop is not None
        names = {thing.name for thing in drawn.drop.things}
        assert 2 <= len(names) <= 4
        assert names | set(drawn.hidden) == set(NUTS)
        seen |= names
    assert seen == set(NUTS)


def test_starts_are_turned_any_way_equally_likely() -> None:
    things = []
    for index in range(200):
        drop = variation({"inspect": ["Nut*"], "resting": {"onto": ["Bin"]}}, index).drop
        assert drop is not None
        things += list(drop.things)
    rotations = Rotation.from_quat([thing.rotation for thing in things], scalar_first=True)
    # Of rotations that are all equally likely, what becomes of an axis is uniform on the sphere, along any axis.
    for axis in np.eye(3):
        for along in rotations.apply(axis).T:
            assert stats.kstest(along, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    # And angles have the density (1 - cos a)/pi.
    assert stats.kstest(rotations.magnitude(), lambda a: (a - np.sin(a)) / np.pi).pvalue > 1e-3


def test_lights_differ_together_or_each() -> None:
    scene = yaml.safe_load(SCENE)
    key, fill = variation(scene).lights
    assert (key.strength, key.tint, key.turn) == (fill.strength, fill.tint, fill.turn)
    scene["lights"][0]["together"] = False
    key, fill = variation(scene).lights
    assert key.strength != fill.strength
    assert key.tint != fill.tint


@pytest.mark.parametrize(
    ("temperature", "x", "y"),  # CIE 1931 chromaticities of the Planckian locus, tabulated by Wyszecki and Stiles
    [
        (2000, 0.5267, 0.4133),
        (2856, 0.4476, 0.4074),
        (5000, 0.3451, 0.3516),
        (6500, 0.3135, 0.3237),
        (10000, 0.2807, 0.2884),
    ],
)
def test_a_black_body_has_its_chromaticity(temperature: float, x: float, y: float) -> None:
    linear = np.array(black_body_colour(temperature))
    bt709 = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    tristimulus = bt709 @ linear
    assert tristimulus[1] == pytest.approx(1)
    assert tristimulus[:2] / tristimulus.sum() == pytest.approx([x, y], abs=0.004)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "rooms"
    folder.mkdir()
    for name in ("a.png", "b.hdr", "c.exr", "notes.txt"):
        (folder / name).write_bytes(name.encode())
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    return folder


def test_a_frame_takes_a_picture_of_the_folder_and_says_which(pictures: Path) -> None:
    scene = {"inspect": ["Nut*"], "world": {"hdris": {"folder": str(pictures)}}}
    seen = set()
    for index in range(40):
        world = variation(scene, index).world
        assert world is not None
        assert world.hdri is not None
        assert world.hdri.sha256 == hashlib.sha256(world.hdri.name.encode()).hexdigest()
        seen.add(world.hdri.name)
    assert seen == {"a.png", "b.hdr", "c.exr"}


def test_a_pinned_folder_takes_no_other_pictures(pictures: Path) -> None:
    section = recipe({"inspect": ["a"], "background": {"folder": str(pictures)}}).scene
    assert section is not None
    pinned = section.pinned()
    assert pinned.background is not None
    assert set(pinned.background.sha256 or ()) == {"a.png", "b.hdr", "c.exr"}
    drawn = pinned.background.draw(RandomStream(0, 0), "background")
    assert pinned.background.path_of(drawn) == pictures / drawn.name
    (pictures / drawn.name).write_bytes(b"another")
    with pytest.raises(BlemishError, match="put the picture back"):
        pinned.background.path_of(drawn)
    with pytest.raises(BlemishError, match="is not as the recipe names it"):
        pinned.pinned()


@pytest.mark.parametrize("name", ["../secret.png", "out.png", "", "..", "/etc/hostname", "a\0.png", "d.png"])
def test_no_record_leads_out_of_the_folder(pictures: Path, name: str) -> None:
    section = recipe({"inspect": ["a"], "background": {"folder": str(pictures)}}).scene
    assert section is not None
    assert section.background is not None
    picture = section.background.pinned().draw(RandomStream(0, 0), "background").model_copy(update={"name": name})
    with pytest.raises(BlemishError, match="found no picture"):
        section.background.path_of(picture)


def test_a_folder_without_pictures_is_said(tmp_path: Path) -> None:
    section = recipe({"inspect": ["a"], "background": {"folder": str(tmp_path)}}).scene
    assert section is not None
    with pytest.raises(BlemishError, match="found 0 pictures; expected 1 to"):
        section.pinned()
    section = recipe({"inspect": ["a"], "background": {"folder": str(tmp_path / "none")}}).scene
    assert section is not None
    with pytest.raises(BlemishError, match="No such file"):
        section.pinned()
