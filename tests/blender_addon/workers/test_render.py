"""Rendering datasets: what is written, what survives a kill, and what is refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from blender_addon import render_dataset
from scenes import DatasetError, load_recipe
from tests.blender_addon.recipes import changed, crowded, small

pytestmark = pytest.mark.render
FRAMES = 4


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def kill_in_the_middle(command: list[str], folder: Path) -> None:
    """Start a rendering in a process group of its own and kill -9 the group once its first frame is there."""
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(folder.glob("scenes/*.json")):
        assert process.poll() is None, "the rendering ended before it could be killed"
        assert time.monotonic() < deadline, "no frame was written"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_killed_run_resumes_to_the_same_bytes_with_other_workers(tmp_path: Path) -> None:
    recipe = small(crowded("plate"))
    (tmp_path / "recipe.yaml").write_text(recipe.model_dump_json())
    render_dataset(recipe, tmp_path / "undisturbed", FRAMES, seed=3, samples=4, workers=2)

    command = [
        sys.executable,
        "-m",
        "blemish",
        "render",
        str(tmp_path / "recipe.yaml"),
        "--out",
        str(tmp_path / "killed"),
    ]
    command += ["--frames", str(FRAMES), "--seed", "3", "--samples", "4"]
    kill_in_the_middle(command, tmp_path / "killed")
    assert len(list((tmp_path / "killed").glob("scenes/*.json"))) < FRAMES
    subprocess.run(command, check=True, capture_output=True)
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")


def test_twin_without_impurities_differs_only_where_they_were(tmp_path: Path) -> None:
    recipe = changed(
        small(crowded("plate")), sensor={"full_well_electrons": None, "read_noise_electrons": 0, "blur_px": 0}
    )
    stained = render_dataset(recipe, tmp_path / "stained", 2, seed=1, samples=4)
    clean = render_dataset(recipe, tmp_path / "clean", 2, seed=1, samples=4, without=["impurities"])
    for one, other in zip(stained, clean, strict=True):
        assert not other.impurities.any()
        assert np.array_equal(one.defects, other.defects)
        assert one.scene.finish == other.scene.finish
        changed_pixels = (one.image != other.image).any(axis=-1)
        assert changed_pixels[one.impurities > 0].mean() > 0.5


def test_frames_do_not_depend_on_those_rendered_before(tmp_path: Path) -> None:
    recipe = small(crowded("magnetic_tile"))
    whole = render_dataset(recipe, tmp_path / "whole", 3, seed=2, samples=4)
    (tmp_path / "whole" / "scenes" / "000002.json").unlink()
    before = contents(tmp_path / "whole" / "images")
    render_dataset(recipe, tmp_path / "whole", 3, seed=2, samples=4)
    assert contents(tmp_path / "whole" / "images") == before
    assert whole.complete


def test_picture_is_lit_and_shows_the_part(tmp_path: Path) -> None:
    recipe = load_recipe("plate")
    frame = render_dataset(small(recipe), tmp_path / "plate", 1, samples=8)[0]
    assert 40 < frame.image.mean() < 220
    assert (frame.image == 255).mean() < 0.1


def test_another_recipe_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    render_dataset(small(load_recipe("plate")), tmp_path / "set", 1, samples=1)
    with pytest.raises(DatasetError, match="samples is 1 there and 2 now"):
        render_dataset(small(load_recipe("plate")), tmp_path / "set", 1, samples=2)


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(small(load_recipe("plate")).model_dump_json())
    command = [sys.executable, "-m", "blemish", "render", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "set")]
    parent = subprocess.Popen([*command, "--frames", "1000"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not list((tmp_path / "set").glob("scenes/*.json")):
        assert parent.poll() is None
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    time.sleep(2)  # long enough for several frames of this size
    written = len(list((tmp_path / "set").glob("scenes/*.json")))
    time.sleep(2)
    assert len(list((tmp_path / "set").glob("scenes/*.json"))) == written
