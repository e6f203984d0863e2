"""What panels and status bar say: durations, lines that fit, one line about a run."""

from pathlib import Path

import pytest

from blender_addon.ui.lines import FEWEST, fitting, shown
from blender_addon.ui.runs import Order, Phase, RenderRun, State, line_about, spoken
from scenes import load_recipe


@pytest.mark.parametrize(
    ("seconds", "words"),
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
def test_durations_as_people_say_them(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_lines_lose_nothing_and_fit() -> None:
    text = "Choose the folder of a virtual environment, or its python program: ~/work/a/very/long/path/to/somewhere"
    for width in (120, 220, 400, 2000):
        lines = fitting(text, width, 1.0)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert max(map(len, lines)) <= max(FEWEST, width / 6)
    assert len(fitting(text, 2000, 1.0)) == 1
    assert len(fitting(text, 440, 2.0)) == len(fitting(text, 220, 1.0))


def test_paths_break_behind_a_slash() -> None:
    lines = fitting("/home/somebody/blemish/plate-inspector-report", 260, 1.0)
    assert len(lines) > 1
    assert [line.endswith("/") for line in lines] == [True] * (len(lines) - 1) + [False]


def test_words_without_a_break_are_cut_rather_than_lost() -> None:
    assert "".join(fitting("x" * 100, 150, 1.0)) == "x" * 100


def test_paths_are_shown_from_home() -> None:
    assert shown(Path.home() / "blemish" / "plate") == "~/blemish/plate"
    assert shown(Path("/data/plate")) == str(Path("/data/plate"))


def test_time_left_goes_by_the_frames_of_this_run() -> None:
    state = State(Phase.RUNNING, done=30, before=20, total=40, seconds=50)
    assert state.seconds_each == 5
    assert state.seconds_left == 50
    assert state.factor == 0.75
    assert State().seconds_left is None


def test_one_line_about_a_run(tmp_path: Path) -> None:
    run = RenderRun("plate", Order(load_recipe("plate"), tmp_path, 40, 0, 1))
    assert line_about(run) == "plate: starting"
    run._state = State(Phase.RUNNING, done=30, before=20, total=40)
    run._active = 50.0
    assert line_about(run) == "plate: 30 of 40, 50 s left"
    run._state = State(Phase.PAUSED, done=30, total=40)
    assert line_about(run) == "plate: paused at 30 of 40"
