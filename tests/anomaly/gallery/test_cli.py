"""The command, from a dataset and an inspector to the page."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import blemish
from anomaly.inspection.train import train_inspector, training_part
from scenes import Dataset, read_samples
from tests.scenes.gallery.conftest import make  # noqa: F401


def data_of(page: Path) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)[1])


@pytest.fixture(name="dataset")
def _dataset(make) -> Dataset:  # noqa: F811
    return make(5)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs" / "deeper"
    folder.mkdir(parents=True)
    for number in range(5):
        pixels = np.random.default_rng(number).normal(60, 25, (90, 110)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder.parent


def test_a_page_beside_the_dataset(dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert blemish.run(["report", str(dataset.path)]) == 0
    page = dataset.path.with_name("set-report") / "report.html"
    assert str(page) in capsys.readouterr().out
    data = data_of(page)
    assert data["judges"] == []
    assert data["comparison"] is None
    first = page.read_bytes()
    assert blemish.run(["report", str(dataset.path)]) == 0
    assert page.read_bytes() == first


def test_inspectors_and_real_pictures_come_onto_it(
    dataset: Dataset, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = training_part(read_samples(dataset.path))[:1]
    for name in ("a", "b"):
        train_inspector(good, tmp_path / name / "eye", backbone="filters", size=16, epochs=1)
    words = ["report", str(dataset.path), str(tmp_path / "a" / "eye"), str(tmp_path / "b" / "eye")]
    assert blemish.run([*words, "--real", str(photographs), "--out", str(tmp_path / "page"), "--device", "cpu"]) == 0
    data = data_of(tmp_path / "page" / "report.html")
    assert [judge["name"] for judge in data["judges"]] == [str(tmp_path / "a" / "eye"), str(tmp_path / "b" / "eye")]
    comparison = data["comparison"]
    assert (comparison["frames"], comparison["real"]) == (5, 5)
    grain = next(figure for figure in comparison["figures"] if figure["name"] == "grain")
    assert grain["distance"] == 1.0  # noise of 25 grey levels, that of frames is 6
    assert comparison["features"]["distance"] > 3 * comparison["features"]["deviation"]
    assert "differs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing-here"], "nothing-here: found nothing; expected the folder of a dataset"),
        (["SET", "no-inspector"], "no-inspector: holds no bank.safetensors"),
        (["SET", "--real", "no-folder"], "no-folder: is no folder; give --real a folder of photographs"),
        (["SET", "--real", "SET/scenes"], "found 0 pictures; give --real a folder of two photographs or more"),
    ],
)
def test_mistakes_are_said_in_one_line(
    dataset: Dataset, words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dataset.path.parent)
    assert blemish.run(["report", *(word.replace("SET", "set") for word in words)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert not Path("set-report", "report.html").exists()
