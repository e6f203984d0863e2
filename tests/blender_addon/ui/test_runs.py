"""What is said of a run: durations, the time left, one line for the status bar."""

from pathlib import Path

import pytest

from blender_addon.ui.dataset.render_run import RenderRequest, RenderRun
from blender_addon.ui.runs import Phase, State, duration_text, status_line
from scenes import load_recipe


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.84, "0.8 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (120, "2 min"),
        (1500, "25 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (40_000, "11 h"),
        (200_000, "2 days"),
    ],
)
def test_durations_as_people_say_them(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_time_left_goes_by_the_frames_of_this_run() -> None:
    state = State(Phase.RUNNING, done=30, before=20, total=40, seconds=50)
    assert state.seconds_each == 5
    assert state.seconds_left == 50
    assert state.factor == 0.75
    assert State().seconds_left is None


def test_one_line_about_a_run(tmp_path: Path) -> None:
    run = RenderRun("plate", RenderRequest(load_recipe("plate"), tmp_path, 40, 0, 1))
    assert status_line(run) == "plate: starting"
    run._state = State(Phase.RUNNING, done=30, before=20, total=40)
    run._active = 50.0
    assert status_line(run) == "plate: 30 of 40, 50 s left"
    run._state = State(Phase.PAUSED, done=30, total=40)
    assert status_line(run) == "plate: paused at 30 of 40"
