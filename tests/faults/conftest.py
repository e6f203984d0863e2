"""Good input, whole outputs to compare with, and how much is done."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from scenes import load_recipe
from tests.command.inputs import TINY, save, square, written
from tests.faults import stages as all_stages
from tests.faults.stages import Stage, imports, write_frames

TOLD: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in TOLD:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """recipe.yaml, a dataset of it (`data`), MVTec folders (`mvtec`) and study.yaml."""
    root = tmp_path_factory.mktemp("made")
    (root / "recipe.yaml").write_text(yaml.safe_dump(written()))
    assert load_recipe(root / "recipe.yaml")
    write_frames(root / "recipe.yaml", root / "data")
    rng = np.random.default_rng(0)
    for kind in ("train/good", "test/good", "test/square"):
        for number in range(4):
            save(root / "mvtec" / kind / f"{number}.png", rng.integers(90, 130, (48, 64, 3), dtype=np.uint8))
    for number in range(4):
        save(root / "mvtec/ground_truth/square" / f"{number}_mask.png", square())
    study = {
        "name": "small",
        "surface": "noise",
        "imaging": "none",
        "seeds": [0, 1],
        "real": {"dataset": str(root / "mvtec"), "format": "mvtec", "train": 0.4, "validation": 0.4},
        "synthetic": {"recipe": str(root / "recipe.yaml"), "frames": 2, "seed": 1, "samples": 1, "lights": {}},
        "inspector": {"bank": 8, "epochs": 2, "backbone": "untrained"},
        "scenarios": ["Real"],
        "bootstrap": {"samples": 100},
    }
    (root / "study.yaml").write_text(yaml.safe_dump(study))
    return root


@pytest.fixture(scope="session")
def learnt(made: Path) -> None:
    """Two inspectors, `bank` and `other`."""
    for name, seed in (("bank", "0"), ("other", "1")):
        stage = Stage("train", ("train", str(made / "mvtec"), *TINY, "--seed", seed), "")
        assert imports(stage, made / name) == 0


@pytest.fixture
def stages(made: Path, stage: str, request: pytest.FixtureRequest) -> dict[str, Stage]:
    if stage in ("evaluate", "inspect", "meld", "bank"):
        request.getfixturevalue("learnt")
    return all_stages.stages(made)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where every run of one test writes: what is written says so."""
    return tmp_path / "out"


@pytest.fixture
def whole(out: Path, stages: dict[str, Stage], stage: str) -> dict[str, bytes | str | None]:
    """What one run, which nothing disturbs, writes to `out`; the folder is gone again."""
    assert imports(stages[stage], out) == 0
    found = all_stages.left(out)
    shutil.rmtree(out)
    return found


@pytest.fixture
def counts(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Counts that are printed when the tests have run."""
    found: Counter[str] = Counter()
    yield found
    name = request.node.name.removeprefix("test_")
    TOLD.append(f"{name}: " + ", ".join(f"{count} {what}" for what, count in found.items()))
