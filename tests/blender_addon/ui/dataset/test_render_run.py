"""Rendering through the panel's operators: the same bytes as from the shell, and nothing lost whatever happens."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import psutil
import pytest

import blender_addon
from blender_addon.ui import progress
from blender_addon.ui.dataset.data import free_folder, resuming_request, status_of
from blender_addon.ui.dataset.render_run import RenderRequest, RenderRun
from blender_addon.ui.progress import RENDER
from blender_addon.ui.recipe.exchange import from_recipe
from blender_addon.ui.runs import Phase
from scenes import Dataset, Recipe, load_recipe
from tests.blender_addon.recipes import crowded, small
from tests.blender_addon.workers.test_render import contents

pytestmark = pytest.mark.render
FRAMES, SEED, SAMPLES = 2, 3, 2
PATIENCE = 180  # seconds

# What a user's script does in a real Blender's background; the same lines as the fixture and the test below.
IN_BLENDER = """\
import sys, bpy, blender_addon
from pathlib import Path
from scenes import Recipe
from blender_addon.ui.recipe.exchange import from_recipe
recipe, out = sys.argv[sys.argv.index("--") + 1 :]
blender_addon.register()
scene = bpy.context.scene
from_recipe(Recipe.model_validate_json(Path(recipe).read_text()), scene.blemish)
scene.blemish.seed = 3
settings = scene.blemish_dataset
settings.frames, settings.samples, settings.folder = 2, 2, out
assert bpy.ops.blemish.render_dataset() == {"FINISHED"}
"""


@pytest.fixture
def scene() -> Iterator[Any]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    yield bpy.context.scene
    blender_addon.unregister()


@pytest.fixture
def recipe() -> Recipe:
    return small(crowded("plate"))


def fill(scene: Any, recipe: Recipe, folder: Path, frames: int = FRAMES) -> None:
    from_recipe(recipe, scene.blemish)
    scene.blemish.seed = SEED
    settings = scene.blemish_dataset
    settings.frames, settings.samples, settings.folder = frames, SAMPLES, str(folder)


def from_shell(recipe: Recipe, folder: Path, *options: str) -> dict[str, bytes]:
    written = folder.with_suffix(".yaml")
    written.write_text(recipe.model_dump_json())
    command = [sys.executable, "-m", "blemish", "render", str(written), "--out", str(folder)]
    command += ["--frames", str(FRAMES), "--seed", str(SEED), "--samples", str(SAMPLES)]
    subprocess.run([*command, *options], check=True, capture_output=True)
    return contents(folder)


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_panel_and_shell_render_the_same_bytes(scene: Any, recipe: Recipe, tmp_path: Path) -> None:
    fill(scene, recipe, tmp_path / "panel")
    assert bpy.ops.blemish.render_dataset() == {"FINISHED"}
    assert contents(tmp_path / "panel") == from_shell(recipe, tmp_path / "shell")


def test_panel_leaves_out_what_the_shell_does(scene: Any, recipe: Recipe, tmp_path: Path) -> None:
    fill(scene, recipe, tmp_path / "panel")
    scene.blemish_dataset.without_defects = True
    assert bpy.ops.blemish.render_dataset() == {"FINISHED"}
    assert contents(tmp_path / "panel") == from_shell(recipe, tmp_path / "shell", "--without", "defects")


def test_panel_renders_the_passes_that_the_shell_does_and_resumes_with_them(
    scene: Any, recipe: Recipe, tmp_path: Path
) -> None:
    fill(scene, recipe, tmp_path / "panel")
    scene.blemish_dataset.passes, scene.blemish_dataset.pass_format = {"depth", "objects"}, "exr"
    assert bpy.ops.blemish.render_dataset() == {"FINISHED"}
    options = ("--pass", "objects", "--pass", "depth", "--pass-format", "exr")
    assert contents(tmp_path / "panel") == from_shell(recipe, tmp_path / "shell", *options)
    request = resuming_request(tmp_path / "panel")
    assert request.options == {"device": "cpu", "passes": ("depth", "objects"), "pass_format": "exr"}


@pytest.mark.skipif(shutil.which("blender") is None, reason="no Blender is installed")
def test_panel_and_shell_render_the_same_bytes_in_a_real_blender(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
    (tmp_path / "panel.py").write_text(IN_BLENDER)
    libraries = [
        str(Path(blender_addon.__file__).parents[1]),
        *(path for path in sys.path if path.endswith("site-packages")),
    ]
    finished = subprocess.run(
        ["blender", "--background", "--factory-startup", "--python-use-system-env", "--python-exit-code", "3",
         "--python", tmp_path / "panel.py", "--", tmp_path / "recipe.json", tmp_path / "panel"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(libraries)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert contents(tmp_path / "panel") == from_shell(recipe, tmp_path / "shell", "--blender", "blender")


def test_test_frame_tells_what_the_dataset_will_cost(scene: Any, recipe: Recipe, tmp_path: Path) -> None:
    fill(scene, recipe, tmp_path / "set")
    assert bpy.ops.blemish.test_frame() == {"FINISHED"}
    settings = scene.blemish_dataset
    assert 0 < settings.test_seconds < PATIENCE
    assert settings.test_start > 0
    assert settings.test_made_with == f"{SAMPLES} samples, cpu"
    assert not (tmp_path / "set").exists()


def test_resuming_goes_by_what_the_folder_says(scene: Any, recipe: Recipe, tmp_path: Path) -> None:
    straight = from_shell(recipe, tmp_path / "straight")
    fill(scene, recipe, tmp_path / "set")
    bpy.ops.blemish.render_dataset()
    for name in ("scenes/000001.json", "annotations.json"):
        (tmp_path / "set" / name).unlink()
    fill(scene, load_recipe("magnetic_tile"), tmp_path / "set", frames=7)  # what the panel shows meanwhile
    scene.blemish.seed = 99
    found = status_of(tmp_path / "set")
    assert found is not None
    assert (found.frames, found.missing, found.seed) == (FRAMES, 1, SEED)
    assert bpy.ops.blemish.resume_dataset() == {"FINISHED"}
    assert contents(tmp_path / "set") == straight
    assert not bpy.ops.blemish.resume_dataset.poll()


def test_a_run_knows_nothing_of_the_scene(scene: Any, recipe: Recipe, tmp_path: Path) -> None:
    fill(scene, recipe, tmp_path / "set")
    run = RenderRun("set", RenderRequest(recipe, tmp_path / "set", FRAMES, SEED, SAMPLES))
    progress.begin(RENDER, run)
    bpy.ops.mesh.blemish_part_add()
    bpy.ops.object.delete()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert progress.finish(RENDER).phase is Phase.DONE
    assert contents(tmp_path / "set") == from_shell(recipe, tmp_path / "shell")


def test_a_killed_child_is_replaced_and_changes_nothing(recipe: Recipe, tmp_path: Path) -> None:
    run = RenderRun("set", RenderRequest(recipe, tmp_path / "set", FRAMES, SEED, SAMPLES))
    run.start()
    until(lambda: run.state.done > 0)
    for child in psutil.Process().children(recursive=True):
        if "blender_addon" in " ".join(child.cmdline()):
            child.send_signal(signal.SIGKILL)
    assert run.wait(PATIENCE).phase is Phase.DONE
    assert contents(tmp_path / "set") == from_shell(recipe, tmp_path / "shell")


def test_a_page_to_look_through_it_lies_beside_the_dataset(recipe: Recipe, tmp_path: Path) -> None:
    run = RenderRun("set", RenderRequest(recipe, tmp_path / "set", 2, SEED, SAMPLES), page=True)
    run.start()
    assert run.wait(PATIENCE).phase is Phase.DONE
    assert '"indices": [0, 1]' in (tmp_path / "set-report" / "report.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "set-report"]


def test_pausing_and_cancelling_keep_whole_frames(recipe: Recipe, tmp_path: Path) -> None:
    run = RenderRun("set", RenderRequest(recipe, tmp_path / "set", 50, SEED, SAMPLES))
    run.start()
    until(lambda: run.state.done > 0)
    run.pause()
    until(lambda: run.state.phase is Phase.PAUSED)
    time.sleep(3)  # for the frame at work
    paused = run.state
    time.sleep(2)
    assert run.state == paused  # no frame, and no time that would count
    run.resume()
    until(lambda: run.state.done > paused.done)
    run.cancel()
    state = run.wait(PATIENCE)
    assert state.phase is Phase.CANCELLED
    assert len(Dataset(tmp_path / "set")) == state.done < 50


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that holds one frame but not two, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=84k", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_told_in_a_sentence_and_loses_nothing(recipe: Recipe, full_disk: Path, tmp_path: Path) -> None:
    run = RenderRun("set", RenderRequest(recipe, full_disk / "set", FRAMES, SEED, SAMPLES))
    run.start()
    state = run.wait(PATIENCE)
    assert state.phase is Phase.FAILED
    assert "the disk is full; free some space and press Resume" in state.message
    assert "\n" not in state.message
    subprocess.run(["mount", "-o", "remount,size=64M", str(full_disk)], check=True)
    resumed = RenderRun("set", resuming_request(full_disk / "set"))
    resumed.start()
    assert resumed.wait(PATIENCE).phase is Phase.DONE
    assert contents(full_disk / "set") == from_shell(recipe, tmp_path / "straight")


def test_no_room_for_what_blender_writes_on_the_way_is_told_in_a_sentence(recipe: Recipe, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))  # the processes started now cannot write more
    try:
        run = RenderRun("set", RenderRequest(recipe, tmp_path / "set", FRAMES, SEED, SAMPLES))
        run.start()
        state = run.wait(PATIENCE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert state.phase is Phase.FAILED
    assert "expected room for it on this disk" in state.message
    assert "\n" not in state.message


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="has no file system that refuses everybody")
def test_a_folder_that_cannot_be_written_is_reported(scene: Any, recipe: Recipe) -> None:
    fill(scene, recipe, Path("/sys/blemish"))
    with pytest.raises(RuntimeError, match="not allowed to write here; choose a folder") as told:
        bpy.ops.blemish.render_dataset()
    assert "Traceback" not in str(told.value)


def test_settings_that_make_no_recipe_are_reported(scene: Any, recipe: Recipe, tmp_path: Path) -> None:
    fill(scene, recipe, tmp_path / "set")
    scene.blemish.name = "no/name"
    for operator in (bpy.ops.blemish.render_dataset, bpy.ops.blemish.test_frame):
        with pytest.raises(RuntimeError, match="name: found 'no/name'"):
            operator()
    assert not (tmp_path / "set").exists()


def test_only_one_rendering_at_a_time(scene: Any, recipe: Recipe, tmp_path: Path) -> None:
    fill(scene, recipe, tmp_path / "set")
    progress.begin(RENDER, RenderRun("set", RenderRequest(recipe, tmp_path / "other", 50, SEED, SAMPLES)))
    assert not bpy.ops.blemish.render_dataset.poll()
    assert not bpy.ops.blemish.test_frame.poll()
    assert bpy.ops.blemish.cancel(slot=RENDER) == {"FINISHED"}
    assert bpy.ops.blemish.render_dataset.poll()


def test_operators_pause_and_go_on_where_something_runs(scene: Any, recipe: Recipe, tmp_path: Path) -> None:
    assert bpy.ops.blemish.pause() == bpy.ops.blemish.go_on() == {"CANCELLED"}
    run = RenderRun("set", RenderRequest(recipe, tmp_path / "set", 50, SEED, SAMPLES))
    progress.begin(RENDER, run)
    assert bpy.ops.blemish.pause() == {"FINISHED"}
    assert run.state.phase is Phase.PAUSED
    assert bpy.ops.blemish.go_on() == {"FINISHED"}
    assert run.state.phase is Phase.RUNNING
    assert bpy.ops.blemish.cancel() == {"FINISHED"}
    assert bpy.ops.blemish.pause() == {"CANCELLED"}


def test_disabling_the_add_on_ends_what_it_started(recipe: Recipe, tmp_path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    run = RenderRun("set", RenderRequest(recipe, tmp_path / "set", 50, SEED, SAMPLES))
    progress.begin(RENDER, run)
    until(lambda: run.state.done > 0)
    blender_addon.unregister()
    assert run.state.phase is Phase.CANCELLED
    assert not hasattr(bpy.types.Scene, "blemish_dataset")


def test_a_new_folder_is_one_that_does_not_exist(tmp_path: Path) -> None:
    assert free_folder(tmp_path / "set") == tmp_path / "set"
    for name in ("set", "set-2", "set-3"):
        (tmp_path / name).mkdir()
    assert free_folder(tmp_path / "set") == tmp_path / "set-4"
    assert free_folder(tmp_path / "set-2") == tmp_path / "set-4"
