"""What inspectors say of frames, against the inspectors themselves."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.gallery.judging import judge, small_map
from anomaly.inspection.inspector import Inspector
from anomaly.inspection.train import train_inspector, training_part
from procgen.errors import Stopped
from scenes import Dataset, read_samples
from scenes.gallery import packs
from scenes.gallery.survey import survey
from tests.scenes.gallery.conftest import make as make_dataset  # noqa: F401


def quiet(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture(name="made")
def _made(make_dataset) -> Dataset:  # noqa: F811
    return make_dataset(6)


@pytest.fixture
def inspector(made: Dataset, tmp_path: Path) -> Path:
    """Trained on the good frames 1 and 3 alone."""
    good = [sample for sample in training_part(read_samples(made.path)) if sample.name in ("000001", "000003")]
    train_inspector(good, tmp_path / "inspector", backbone="filters", size=32, epochs=1)
    return tmp_path / "inspector"


def samples_of(dataset: Dataset):
    return {int(sample.name): sample for sample in read_samples(dataset.path)}


def test_judgements_are_the_inspector_s_own_words(made: Dataset, inspector: Path, tmp_path: Path) -> None:
    looked = survey(made, tmp_path / "page", quiet)
    loaded = Inspector.load(inspector)
    found = judge(loaded, inspector, looked, samples_of(made), tmp_path / "page", quiet)
    peaks = []
    for position, frame in enumerate(made):
        anomaly_map, score = loaded.predict(frame.image)
        assert found.scores[position] == np.float32(score)
        peaks += [anomaly_map[frame.defects == i.id].max() for i in frame.instances if i.family == "defect"]
        peaks += [anomaly_map[frame.impurities == i.id].max() for i in frame.instances if i.family == "impurity"]
    assert found.peaks.tolist() == pytest.approx(peaks)
    assert found.seen.tolist() == [False, True, False, True, False, False]
    assert found.threshold is None


def test_a_stopped_judgement_goes_on_to_the_same_bytes(
    made: Dataset, inspector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "FRAMES", 2)
    loaded, samples = Inspector.load(inspector), samples_of(made)

    def stopping(what: str, done: int, total: int) -> None:
        if what.startswith("judging") and done == 4:
            raise Stopped("stopped")

    written = []
    for name in ("whole", "resumed"):
        page = tmp_path / name / "page"
        looked = survey(made, page, quiet)
        if name == "resumed":
            with pytest.raises(Stopped):
                judge(loaded, inspector, looked, samples, page, stopping)
        judge(loaded, inspector, looked, samples, page, quiet)
        written.append({p.relative_to(page): p.read_bytes() for p in page.rglob("*.js*")})
    assert written[0] == written[1]
    assert sum("maps" in path.parts for path in written[0]) == 3


def test_a_small_map_keeps_its_values() -> None:
    anomaly_map = np.hypot(*np.mgrid[-150:150, -200:200]).astype(np.float32)
    low, high, content = small_map(anomaly_map)
    levels = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
    assert levels.shape == (96, 128)
    expected = np.asarray(Image.fromarray(anomaly_map).resize((128, 96), Image.Resampling.BOX))
    assert np.abs(low + levels / 255 * (high - low) - expected).max() <= (high - low) / 510 * 1.01
