"""Pausing and cancelling a rendering from another thread."""

import threading
import time
from pathlib import Path

import pytest

from blender_addon import render_dataset
from blender_addon.workers.control import Cancelled, Control
from scenes import load_recipe
from tests.blender_addon.recipes import small
from tests.blender_addon.workers.test_render import contents

pytestmark = pytest.mark.render
FRAMES = 4


def test_a_paused_rendering_begins_no_frame_and_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    recipe = small(load_recipe("plate"))
    render_dataset(recipe, tmp_path / "straight", FRAMES, seed=1, samples=1)
    control, written, first = Control(), [], threading.Event()

    def on_frame(index: int) -> None:
        written.append(index)
        if len(written) == 1:
            control.pause()
            first.set()

    thread = threading.Thread(
        target=render_dataset,
        args=(recipe, tmp_path / "paused", FRAMES, 1),
        kwargs={"samples": 1, "on_frame": on_frame, "control": control},
    )
    thread.start()
    assert first.wait(120)
    time.sleep(3)  # long enough for all frames of this size
    assert len(written) <= 2  # the one at work when it was told is finished
    assert len(list((tmp_path / "paused").glob("scenes/*.json"))) == len(written)
    control.resume()
    thread.join(120)
    assert written == list(range(FRAMES))
    assert contents(tmp_path / "paused") == contents(tmp_path / "straight")


def test_a_cancelled_rendering_keeps_whole_frames_and_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    recipe = small(load_recipe("plate"))
    render_dataset(recipe, tmp_path / "straight", FRAMES, seed=1, samples=1)
    control = Control()
    with pytest.raises(Cancelled, match="whole frame"):
        render_dataset(
            recipe, tmp_path / "cut", FRAMES, 1, samples=1, on_frame=lambda index: control.cancel(), control=control
        )
    assert 0 < len(list((tmp_path / "cut").glob("scenes/*.json"))) < FRAMES
    assert not (tmp_path / "cut" / "annotations.json").exists()
    render_dataset(recipe, tmp_path / "cut", FRAMES, 1, samples=1)
    assert contents(tmp_path / "cut") == contents(tmp_path / "straight")


def test_what_was_said_before_the_processes_started_is_heeded(tmp_path: Path) -> None:
    control, ready = Control(), threading.Event()
    control.on_ready = ready.set
    control.cancel()
    with pytest.raises(Cancelled):
        render_dataset(small(load_recipe("plate")), tmp_path / "never", 2, samples=1, control=control)
    assert not ready.is_set()
    assert not list((tmp_path / "never").glob("scenes/*.json"))
