"""Good input, copies of it to spoil, and the command that must refuse them."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import blemish
from scenes import DatasetWriter, load_recipe
from tests.command.inputs import FRAMES, SAMPLES, SEED, TINY, save, square, write_frame, written
from tests.command.told import Refused, Run, contents, runner


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """recipe.yaml, a whole dataset of it (`data`), MVTec folders (`mvtec`) and an inspector (`bank`)."""
    root = tmp_path_factory.mktemp("made")
    (root / "recipe.yaml").write_text(yaml.safe_dump(written()))
    recipe = load_recipe(root / "recipe.yaml")
    writer = DatasetWriter(root / "data", recipe, SEED, FRAMES, samples=SAMPLES)
    for index in range(FRAMES):
        write_frame(writer, recipe, index)
    writer.finish()
    rng = np.random.default_rng(0)
    for kind in ("train/good", "test/good", "test/square"):
        for number in range(3):
            save(root / "mvtec" / kind / f"{number}.png", rng.integers(90, 130, (48, 64, 3), dtype=np.uint8))
    for number in range(3):
        save(root / "mvtec/ground_truth/square" / f"{number}_mask.png", square())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["blemish", "train", str(root / "mvtec"), "--out", str(root / "bank"), *TINY])
        with pytest.raises(SystemExit) as end:
            blemish.main()
        assert end.value.code == 0
    return root


@pytest.fixture
def at(made: Path, tmp_path: Path) -> Path:
    """A copy of `made` to spoil."""
    shutil.copytree(made, tmp_path / "at")
    return tmp_path / "at"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


@pytest.fixture
def refused(run: Run, at: Path) -> Refused:
    """Run a command that must refuse and leave everything below `at` as it is; gives the line that it tells."""

    def refused(*arguments: object) -> str:
        before = contents(at)
        line = run(*arguments).refusal()
        assert contents(at) == before
        return line

    return refused
