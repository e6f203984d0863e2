"""The command: what it prints, and how it refuses and stops."""

import sys

import pytest

import blemish
from anomaly.studies.anomaly import run
from anomaly.studies.engine.progress import ProgressDisplay
from anomaly.studies.engine.study_file import PRESETS


@pytest.fixture
def command(monkeypatch, capsys):
    """Run `blemish study` with arguments; gives exit code, standard output and standard error."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["blemish", "study", *map(str, arguments)])
        code = blemish.run(sys.argv[1:])
        return code, *capsys.readouterr()

    return command


def test_a_shipped_study_is_shown_as_it_is_written(command):
    code, out, _ = command("magnetic_tile", "--show")
    assert code == 0
    assert out == (PRESETS / "magnetic_tile.yaml").read_text()


def test_refusals_are_one_line_each(command, tmp_path):
    code, _, err = command("magnetic", "--out", tmp_path / "out")
    assert code == blemish.USER_ERROR
    assert "did you mean magnetic_tile?" in err
    assert len(err.splitlines()) == 1
    (tmp_path / "study.yaml").write_text("name: a\nseeds: 3\n")
    code, _, err = command(tmp_path / "study.yaml", "--out", tmp_path / "out")
    assert code == blemish.USER_ERROR
    assert {line.split(": ")[2] for line in err.splitlines()} == {"surface", "imaging", "seeds", "real", "synthetic"}
    code, _, err = command("magnetic_tile", "--real", tmp_path / "none", "--out", tmp_path / "out")
    assert code == blemish.USER_ERROR
    assert f"found no folder {tmp_path / 'none'}" in err


def test_a_stopped_study_says_how_to_go_on(command, tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_study", stop)
    code, _, err = command("plate", "--out", tmp_path)
    assert code == blemish.INTERRUPTED
    assert "the same command goes on" in err


def test_progress_is_a_line_a_new_step_or_lines_for_programs(monkeypatch, capsys):
    for variable, expected in (("", "2 of 4  b\n"), ("lines", 'blemish-progress ["a", 0, 4]\n')):
        monkeypatch.setenv("BLEMISH_PROGRESS", variable)
        with ProgressDisplay() as progress:
            progress.begin(3)
            progress.step("a", False)
            progress.step("b", True)
            progress.advance("rendering", 1, 2)
        err = capsys.readouterr().err
        assert expected in err
        assert ("rendering" in err) == (variable == "lines")
