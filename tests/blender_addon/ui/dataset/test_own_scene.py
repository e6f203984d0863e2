"""The panel's choice of this scene: what the shell renders of the saved file, and what is said of changes since."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest

import blender_addon
from blender_addon.ui.dataset import own_scene
from blender_addon.ui.dataset.data import recipe_of, resuming_request
from blender_addon.ui.recipe.exchange import from_recipe
from scenes import RecipeError, load_recipe
from scenes.recipes.recipe import recipe_from
from tests.blender_addon.own_scene.files import fields, two_parts
from tests.blender_addon.workers.test_render import contents

pytestmark = pytest.mark.render


@pytest.fixture
def blend(tmp_path: Path) -> Iterator[Path]:
    blender_addon.register()
    yield two_parts(tmp_path / "mine.blend")
    blender_addon.unregister()


def choose(inspect: str, **dataset: Any) -> Any:
    scene = bpy.context.scene
    from_recipe(recipe_from(fields(inspect=[inspect]), "mine.yaml"), scene.blemish)
    for name, value in {"frames": 1, "samples": 1, **dataset}.items():
        setattr(scene.blemish_dataset, name, value)
    return scene.blemish


def test_panel_renders_this_scene_as_the_shell_does(blend: Path, tmp_path: Path) -> None:
    for thing in bpy.data.objects:
        thing.select_set(thing.name in ("Block", "Pin.001", "Front"))
    settings = choose("Nothing", folder=str(tmp_path / "panel"))
    assert bpy.ops.blemish.scene_names_selected() == {"FINISHED"}
    assert settings.scene.inspect == "Block, Pin.001"
    bpy.context.scene.blemish.seed = 5
    assert bpy.ops.blemish.render_dataset() == {"FINISHED"}
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(json.dumps(fields(inspect=["Block", "Pin.001"])))
    command = [sys.executable, "-m", "blemish", "render", str(blend), "--recipe", str(recipe), "--seed", "5"]
    subprocess.run(
        [*command, "--frames", "1", "--samples", "1", "--out", str(tmp_path / "shell")], check=True, capture_output=True
    )
    panel, shell = contents(tmp_path / "panel"), contents(tmp_path / "shell")
    assert {name for name in shell if shell[name] != panel[name]} <= {"dataset.json"}  # stand-ins the panel spells out
    assert resuming_request(tmp_path / "panel").options == {"device": "cpu", "blend": str(blend)}


def test_unsaved_changes_are_said(blend: Path, tmp_path: Path) -> None:
    assert own_scene.unsaved() == (own_scene.UNSAVED if bpy.data.is_dirty else "")  # always, without a window
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert own_scene.unsaved() == own_scene.NEVER_SAVED
    choose("Block", folder=str(tmp_path / "set"))
    with pytest.raises(RuntimeError, match="Save this file first"):
        bpy.ops.blemish.render_dataset()
    assert not (tmp_path / "set").exists()


def test_a_recipe_says_where_its_frames_are_rendered(blend: Path) -> None:
    settings = choose("Block")
    assert settings.where == "SCENE"
    assert own_scene.options_of(bpy.context) == {"blend": str(blend)}
    settings.where = "STAGE"
    assert own_scene.options_of(bpy.context) == {}
    assert recipe_of(bpy.context).scene is None
    settings.where = "SCENE"
    assert recipe_of(bpy.context).scene.inspect == ("Block",)
    from_recipe(load_recipe("plate"), settings)
    assert settings.where == "STAGE"
    settings.where = "SCENE"
    assert recipe_of(bpy.context).scene.inspect == ("Block",)  # what was chosen in this scene is still there


def test_what_is_not_chosen_yet_is_said(blend: Path) -> None:
    settings = choose("Block")
    settings.scene.inspect = " , "
    with pytest.raises(RecipeError, match=r"scene\.inspect"):
        recipe_of(bpy.context)
