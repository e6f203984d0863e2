"""Training and judging through the panel's operators, in an environment outside."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest

import blender_addon
from blender_addon import render_dataset
from blender_addon.ui import progress
from blender_addon.ui.learn import data, operators
from blender_addon.ui.learn.data import figures_in
from blender_addon.ui.learn.panels import FIGURES
from blender_addon.ui.preferences import BlemishPreferences, environment
from blender_addon.ui.progress import LEARN
from blender_addon.ui.runs import Phase
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
    scene.blemish_learn.inspector = str(tmp_path / "mine")
    assert data.report(bpy.context) == tmp_path / "mine-report"


def test_figures_are_read_from_a_report_and_nothing_from_a_damaged_one(tmp_path: Path) -> None:
    assert figures_in(tmp_path) == {}
    for text in ("", "{", "[1]", '{"metrics": 3}', "[" * 100_000):
        (tmp_path / "results.json").write_text(text)
        assert figures_in(tmp_path) == {}
        (tmp_path / "results.json").unlink()
    (tmp_path / "results.json").write_text(json.dumps({"metrics": {"aupro": 0.5}}))
    assert figures_in(tmp_path) == {"aupro": 0.5}


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
