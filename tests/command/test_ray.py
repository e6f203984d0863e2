"""Every command that shares its tasks out, on a Ray cluster of this machine: the same bytes as by one worker here."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from diffusion_refine.training.model_shapes import Shape, build_pipeline
from scenes import Dataset
from scenes.jobs.ray import EAGER
from tests.command.inputs import HALF, RENDER, TINY, save, square
from tests.command.told import Run, contents

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow
LENIENT = ("--visible", 0, "--in-place", 0, "--stray", 1e9, "--spill", 1e9, "--swap", 0)  # for an untrained model
Same = Callable[..., Path]  # the fixture `same`: a command's arguments -> what two workers of the cluster wrote
SETS = {"name": "small", "surface": "noise", "imaging": "none", "seeds": [0, 1]}


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Two cores of this machine, which commands find when they ask for a local cluster."""
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error", **EAGER)
    yield
    ray.shutdown()


@pytest.fixture
def same(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Same:
    """Run a command by one worker, then by two of the cluster; all that they write is to be the same."""

    def same(*arguments: object) -> Path:
        for name, options in (("here", ("--workers", 1)), ("there", ("--workers", 2, "--ray", "local"))):
            (tmp_path / name).mkdir()
            monkeypatch.chdir(tmp_path / name)
            told = run(*arguments, "--out", "out", *options)
            assert told.code == 0, told
        here, there = (contents(tmp_path / name) for name in ("here", "there"))
        assert len(here) > 1
        assert here == there
        return tmp_path / "there" / "out"

    return same


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MVTec's layout: ten good pictures of noise, and ten with a bright square."""
    root = tmp_path_factory.mktemp("photos") / "set"
    for number in range(20):
        image = np.random.default_rng(number).integers(100, 140, (48, 64, 3), dtype=np.uint8)
        if number >= 10:
            image[square() > 0] = 220
            save(root / "ground_truth/square" / f"{number}_mask.png", square())
        save(root / ("test/good" if number < 10 else "test/square") / f"{number}.png", image)
    return root


@pytest.mark.render
def test_render(same: Same, made: Path) -> None:
    assert Dataset(same("render", made / "recipe.yaml", *RENDER)).complete


def test_synthesize(same: Same, made: Path, photos: Path) -> None:
    goods = sorted((photos / "test/good").iterdir())[:4]
    assert Dataset(same("synthesize", *goods, "--recipe", made / "recipe.yaml")).complete


def test_refine(same: Same, made: Path, tmp_path: Path) -> None:
    shape = Shape(size=64, autoencoder=(16, 32, 48), unet=(16, 16, 32), head=8, text=32, text_layers=1)
    build_pipeline(shape).save_pretrained(tmp_path / "model", safe_serialization=True)
    options = ("--model", tmp_path / "model", "--variants", 1, "--word", "dent", "--steps", 4)
    assert Dataset(same("refine", made / "data", *options, *LENIENT)).complete


def test_import(same: Same, photos: Path) -> None:
    assert Dataset(same("import", photos)).complete


def test_export(same: Same, made: Path) -> None:
    assert (same("export", made / "data", "--format", "coco") / "annotations.json").is_file()


def test_train_in_shards(same: Same, made: Path) -> None:
    same("train", made / "mvtec", "--shards", 3, *TINY)


def test_evaluate(same: Same, made: Path) -> None:
    same("evaluate", made / "bank", made / "mvtec", *HALF)


def test_report(same: Same, made: Path) -> None:
    assert (same("report", made / "data", made / "bank") / "report.html").is_file()


def test_study_of_inspectors(same: Same, made: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        yaml.safe_dump(
            {
                **SETS,
                "real": {"dataset": str(photos), "format": "mvtec", "train": 0.4, "validation": 0.4},
                "synthetic": {"recipe": str(made / "recipe.yaml"), "frames": 3, "seed": 1, "samples": 1},
                "inspector": {"bank": 16, "epochs": 1, "backbone": "filters"},
                "scenarios": ["Real"],
            }
        )
    )
    same("study", tmp_path / "study.yaml", "--threads", 1)


def test_study_of_a_classifier(same: Same, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        yaml.safe_dump(
            {
                **SETS,
                "task": "classification",
                "real": {"dataset": str(photos), "train": 0.4, "validation": 0.1, "test": 0.5},
                "datasets": {},
                "arms": {"mixup": {"learner": {"mixing": "mixup"}}},
                "learner": {"network": "mobilenetv3_small", "image_size": 32, "epochs": 1},
                "bootstrap": {"samples": 100},
            }
        )
    )
    same("study", tmp_path / "study.yaml", "--threads", 1)
