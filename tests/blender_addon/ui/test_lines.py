"""Sentences in panels: lines that fit, and paths as people write them."""

from pathlib import Path

from blender_addon.ui.lines import FEWEST, path_text, wrap


def test_lines_lose_nothing_and_fit() -> None:
    text = "Choose the folder of a virtual environment, or its python program: ~/work/a/very/long/path/to/somewhere"
    for width in (120, 220, 400, 2000):
        lines = wrap(text, width, 1.0)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert max(map(len, lines)) <= max(FEWEST, width / 6)
    assert len(wrap(text, 2000, 1.0)) == 1
    assert len(wrap(text, 440, 2.0)) == len(wrap(text, 220, 1.0))


def test_paths_break_behind_a_slash() -> None:
    lines = wrap("/home/somebody/blemish/plate-inspector-report", 260, 1.0)
    assert len(lines) > 1
    assert [line.endswith("/") for line in lines] == [True] * (len(lines) - 1) + [False]


def test_words_without_a_break_are_cut_rather_than_lost() -> None:
    assert "".join(wrap("x" * 100, 150, 1.0)) == "x" * 100


def test_paths_are_shown_from_home() -> None:
    assert path_text(Path.home() / "blemish" / "plate") == "~/blemish/plate"
    assert path_text(Path("/data/plate")) == str(Path("/data/plate"))
