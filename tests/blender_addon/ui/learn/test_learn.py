"""Training and judging through the panel's operators, in an environment outside."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from PIL import Image

import blender_addon
from blender_addon import render_dataset
from blender_addon.ui import progress
from blender_addon.ui.learn import data, operators
from blender_addon.ui.learn.data import figures_in
from blender_addon.ui.learn.panels import FIGURES
from blender_addon.ui.preferences import BlemishPreferences, environment
from blender_addon.ui.progress import LEARN
from blender_addon.ui.runs import Phase
from scenes import load_recipe
from tests.blender_addon.recipes import crowded, small

PATIENCE = 120  # seconds


@pytest.fixture
def scene() -> Iterator[Any]:
    """The add-on as Blender enables it: under a name of its own, by which it finds its preferences."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.addons.new().module = "blemish_under_test"
    blender_addon.register("blemish_under_test")
    assert BlemishPreferences.bl_idname == "blemish_under_test"
    yield bpy.context.scene
    blender_addon.unregister()
    bpy.context.preferences.addons.remove(bpy.context.preferences.addons["blemish_under_test"])


def choose(python: Path | str) -> None:
    """Name the environment in the preferences, and wait until it has been looked at."""
    bpy.context.preferences.addons["blemish_under_test"].preferences.python = str(python)
    deadline = time.monotonic() + PATIENCE
    while environment(bpy.context) is None and time.monotonic() < deadline:
        time.sleep(0.02)


def test_without_an_environment_the_operators_say_what_to_do(scene: Any, tmp_path: Path) -> None:
    choose(tmp_path)
    for operator in (operators.BLEMISH_OT_train, operators.BLEMISH_OT_evaluate, operators.BLEMISH_OT_refine):
        assert not operator.poll(bpy.context)
        assert "Choose the folder of a virtual environment" in operator.obstacle(bpy.context)


def test_what_is_missing_is_told_before_anything_is_started(scene: Any, tmp_path: Path) -> None:
    choose(sys.prefix)
    settings = scene.blemish_learn
    settings.train_on = str(tmp_path / "nothing")
    assert f"{tmp_path / 'nothing'} is not there" in operators.BLEMISH_OT_train.obstacle(bpy.context)
    settings.train_on = str(tmp_path)
    assert operators.BLEMISH_OT_train.poll(bpy.context)
    assert "train one first" in operators.BLEMISH_OT_evaluate.obstacle(bpy.context)
    settings.inspector = str(tmp_path)
    assert "Choose what to judge on" in operators.BLEMISH_OT_evaluate.obstacle(bpy.context)
    assert "Choose what to inspect" in operators.BLEMISH_OT_inspect.obstacle(bpy.context)


def annotated(folder: Path, flawed: list[int]) -> None:
    """A dataset's annotations of three pictures: a stain on each, and a scratch on some."""
    categories = [{"id": 1, "name": "scratch", "supercategory": "defect"}]
    categories += [{"id": 2, "name": "stain", "supercategory": "impurity"}]
    shown = [{"image_id": k, "category_id": 2} for k in range(3)] + [{"image_id": k, "category_id": 1} for k in flawed]
    written = {"categories": categories, "images": [{"id": k} for k in range(3)], "annotations": shown}
    (folder / "annotations.json").write_text(json.dumps(written))


def test_that_none_is_good_is_told_before_the_training(scene: Any, tmp_path: Path) -> None:
    choose(sys.prefix)
    scene.blemish_learn.train_on = str(tmp_path)
    annotated(tmp_path, [0, 1, 2, 2])
    assert "None of the 3 pictures is good" in operators.BLEMISH_OT_train.obstacle(bpy.context)
    assert not operators.BLEMISH_OT_train.poll(bpy.context)
    data.forget()
    annotated(tmp_path, [0, 2])
    assert operators.BLEMISH_OT_train.poll(bpy.context)
    for text in ("", "[", "[1]", '{"categories": 1}'):  # what is wrong with it, the command says
        data.forget()
        (tmp_path / "annotations.json").write_text(text)
        assert operators.BLEMISH_OT_train.poll(bpy.context)


def test_a_command_that_the_environment_lacks_is_told(scene: Any, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "blemish.py").write_text("COMMANDS = {'train': 0}")
    (tmp_path / "site" / "torch.py").touch()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "site"} exec {sys.base_prefix}/bin/python3.11 "$@"\n')
    python.chmod(0o755)
    choose(python)
    assert "has no command refine: update it" in operators.BLEMISH_OT_refine.obstacle(bpy.context)


def test_folders_that_are_not_named_lie_beside_the_dataset(scene: Any, tmp_path: Path) -> None:
    scene.blemish_dataset.folder = str(tmp_path / "plate")
    assert data.train_on(bpy.context) == tmp_path / "plate"
    assert data.inspector(bpy.context) == tmp_path / "plate-inspector"
    assert data.report(bpy.context) == tmp_path / "plate-inspector-report"
    assert data.refined(bpy.context) == tmp_path / "plate-refined"
    assert data.inspection(bpy.context) == tmp_path / "plate-inspector-inspection"
    scene.blemish_learn.inspector = str(tmp_path / "mine")
    assert data.report(bpy.context) == tmp_path / "mine-report"


def test_where_to_look_and_thresholds_of_regions_are_handed_on(scene: Any, tmp_path: Path) -> None:
    settings = scene.blemish_learn
    settings.regions = "128=good:5% 64=3.5"
    arguments = operators.BLEMISH_OT_train.arguments
    assert "--region" not in arguments(None, bpy.context)  # of a picture that is not there
    settings.look = str(tmp_path / "look.png")
    handed_on = arguments(None, bpy.context)[-6:]
    assert handed_on == ["--look", settings.look, "--region", "128=good:5%", "--region", "64=3.5"]


def test_a_fit_begins_from_the_recipe_of_the_tab_and_says_what_it_lacks(scene: Any, tmp_path: Path) -> None:
    choose(sys.prefix)
    settings, calibrate = scene.blemish_learn, operators.BLEMISH_OT_calibrate
    scene.blemish_dataset.folder = str(tmp_path / "tile")
    assert "Choose what to fit to" in calibrate.obstacle(bpy.context)
    settings.photographs = str(tmp_path / "nothing")
    assert f"{tmp_path / 'nothing'} is not there" in calibrate.obstacle(bpy.context)
    settings.photographs = str(tmp_path / "real")
    (tmp_path / "real").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(60, 190, (352, 304), np.uint8)).save(tmp_path / "real" / "a.png")
    settings.masks = str(tmp_path / "masks")
    assert f"{tmp_path / 'masks'} is not there" in calibrate.obstacle(bpy.context)
    settings.masks = ""
    assert calibrate.poll(bpy.context)
    bpy.ops.blemish.recipe_shipped(name="magnetic_tile")
    with pytest.raises(RuntimeError, match="found 1 photographs of good parts; expected 5 or more"):
        bpy.ops.blemish.calibrate()
    assert load_recipe(tmp_path / "tile-fitted-before.yaml") == load_recipe("magnetic_tile")
    assert data.sheet(bpy.context) == tmp_path / "tile-fitted-fit" / "sheet.png"
    settings.masks = str(tmp_path)
    handed_on = calibrate.arguments(None, bpy.context)
    assert handed_on[1:3] == ["--real", settings.photographs]
    assert handed_on[-2:] == ["--masks", settings.masks]


def test_figures_are_read_from_a_report_and_nothing_from_a_damaged_one(tmp_path: Path) -> None:
    assert figures_in(tmp_path) == {}
    for text in ("", "{", "[1]", '{"metrics": 3}', "[" * 100_000):
        (tmp_path / "results.json").write_text(text)
        assert figures_in(tmp_path) == {}
        (tmp_path / "results.json").unlink()
    (tmp_path / "results.json").write_text(json.dumps({"metrics": {"aupro": 0.5}}))
    assert figures_in(tmp_path) == {"aupro": 0.5}


@pytest.mark.slow
def test_flawed_pictures_are_no_failure_and_an_inspector_without_threshold_is_one(scene: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder, count in (("good", 24), ("new", 3)):
        (tmp_path / folder / "train" / "good").mkdir(parents=True)
        for index in range(count):
            picture = rng.normal(120, 6, (64, 80, 3)).clip(0, 255).astype(np.uint8)
            if folder == "new" and index == 1:
                picture[20:40, 30:60] = 255
            Image.fromarray(picture).save(tmp_path / folder / "train" / "good" / f"{index}.png")
    choose(sys.prefix)
    settings = scene.blemish_learn
    settings.train_on, settings.inspect_on = str(tmp_path / "good"), str(tmp_path / "new" / "train" / "good")
    settings.size, settings.epochs = 64, 1
    assert bpy.ops.blemish.train() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="has no threshold"):
        bpy.ops.blemish.inspect()
    settings.inspector, settings.threshold = str(tmp_path / "careful"), "good:25%"
    assert bpy.ops.blemish.train() == {"FINISHED"}
    assert bpy.ops.blemish.inspect() == {"FINISHED"}
    assert "3 pictures: 2 good, 1 flawed" in progress.current(LEARN).state.message
    assert (data.inspection(bpy.context) / data.INSPECTION).is_file()


@pytest.mark.slow
@pytest.mark.render
def test_an_inspector_is_trained_and_judged_from_the_panel(scene: Any, tmp_path: Path) -> None:
    recipe = small(crowded("magnetic_tile"))
    render_dataset(recipe, tmp_path / "good", 6, seed=1, samples=1, without=["defects", "impurities"])
    render_dataset(recipe, tmp_path / "flawed", 12, seed=2, samples=1)
    choose(sys.prefix)
    settings = scene.blemish_learn
    settings.train_on, settings.judge_on = str(tmp_path / "good"), str(tmp_path / "flawed")
    settings.size, settings.epochs = 64, 1
    assert bpy.ops.blemish.train() == {"FINISHED"}
    state = progress.current(LEARN).state
    assert state.phase is Phase.DONE
    assert state.total == 6
    assert bpy.ops.blemish.evaluate() == {"FINISHED"}
    report = data.report(bpy.context)
    assert (report / data.REPORT).is_file()
    figures = figures_in(report)
    assert set(FIGURES) <= set(figures)
    assert 0 <= figures["pixel_auroc"] <= 1
    settings.size = 65
    with pytest.raises(RuntimeError, match="was trained with other settings"):
        bpy.ops.blemish.train()
