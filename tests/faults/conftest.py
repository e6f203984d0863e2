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
from tests.faults.stages import Stage, run, write_frames

TOLD: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in TOLD:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """recipe.yaml, a dataset of it (`data`) and MVTec folders (`mvtec`)."""
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
    return root


@pytest.fixture(scope="session")
def learning(made: Path) -> None:
    """What the commands that learn need: their modules, imported once, where the forks begin, and an inspector."""
    import diffusion_refine.synthesis.loop
    import diffusion_refine.synthesis.refine.generator  # noqa: F401

    assert run(Stage("train", ("train", str(made / "mvtec"), *TINY), ""), made / "bank") == 0


@pytest.fixture
def stages(made: Path, stage: str, request: pytest.FixtureRequest) -> dict[str, Stage]:
    if stage != "frames":
        request.getfixturevalue("learning")
    return all_stages.stages(made)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where every run of one test writes: what is written says so."""
    return tmp_path / "out"


@pytest.fixture
def whole(out: Path, stages: dict[str, Stage], stage: str) -> dict[str, bytes | str | None]:
    """What one run, which nothing disturbs, writes to `out`; the folder is gone again."""
    assert run(stages[stage], out) == 0
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
