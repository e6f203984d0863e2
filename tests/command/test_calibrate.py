"""The command `blemish calibrate`: what it refuses before anything is rendered."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import blemish
from scenes.recipes.reading import recipe_text

HOSTILE = "name: x\npart: &a [*a]\n"


def photographs(folder: Path, count: int = 6) -> str:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(rng.integers(60, 190, (352, 304), np.uint8)).save(folder / f"{number}.png")
    return str(folder)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert blemish.run(["calibrate", *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert "Traceback" not in "".join(said)
    return said[-1]


def test_folders_and_files_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real, out = photographs(tmp_path / "real"), str(tmp_path / "out.yaml")
    one = photographs(tmp_path / "one", 1)
    assert "found 1 photographs" in refused(capsys, "magnetic_tile", "--real", one, "--out", out)
    assert "is no folder" in refused(capsys, "magnetic_tile", "--real", str(tmp_path / "none"), "--out", out)
    assert "did you mean magnetic_tile" in refused(capsys, "magnetic_til", "--real", real, "--out", out)
    assert "expected a recipe's file" in refused(capsys, "magnetic_tile", "--real", real, "--out", str(tmp_path / "x"))
    (tmp_path / "hostile.yaml").write_text(HOSTILE)
    assert "line 2" in refused(capsys, str(tmp_path / "hostile.yaml"), "--real", real, "--out", out)
    assert "set camera.resolution" in refused(capsys, "plate", "--real", one_small(tmp_path), "--out", out)
    unmasked = refused(capsys, "magnetic_tile", "--real", real, "--out", out, "--masks", real)
    assert "no dataset recognised" in unmasked
    (tmp_path / "mine.yaml").write_text(recipe_text("magnetic_tile"))
    taken = refused(capsys, "magnetic_tile", "--real", real, "--out", str(tmp_path / "mine.yaml"))
    assert "is there already" in taken
    assert (tmp_path / "mine.yaml").read_text() == recipe_text("magnetic_tile")
    assert not list(tmp_path.glob("*-fit"))


def one_small(folder: Path) -> str:
    small = folder / "small"
    small.mkdir()
    rng = np.random.default_rng(1)
    for number in range(5):
        Image.fromarray(rng.integers(60, 190, (80, 80), np.uint8)).save(small / f"{number}.png")
    return str(small)


def test_marks_of_a_recipe_are_checked_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "marked.yaml").write_text(recipe_text("magnetic_tile").replace("  finish.grain:", "  finish.gran:"))
    real = photographs(tmp_path / "real")
    said = refused(capsys, str(tmp_path / "marked.yaml"), "--real", real, "--out", str(tmp_path / "out.yaml"))
    assert "found 'finish.gran'" in said
