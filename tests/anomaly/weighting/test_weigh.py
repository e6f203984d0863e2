"""The command `weigh` as its user has it: spoiled frames weigh less, all else of the dataset stays, leaks are named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.inspection.train import training_part
from anomaly.weighting.windows import SIDE, background_of, windows_of
from procgen.surface.layer import Instance
from scenes import Dataset, load_recipe
from scenes.datasets.files import sha256_of
from scenes.datasets.writer import DatasetWriter
from scenes.formats.registry import read_samples
from scenes.recipes.sampling import draw
from tests.command.told import Run, contents, runner

SHAPE = (72, 80)
OPTIONS = ("--steps", 60, "--batch", 8)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


def frame(seed: int, spoiled: bool) -> tuple[np.ndarray, np.ndarray]:
    """A picture of grey noise with a dark disc, which a spoiled one lacks, and the mask of it."""
    random = np.random.default_rng(seed)
    ground = 150 + 8 * random.normal(size=SHAPE)
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    (row, column), radius = random.uniform((14, 14), (58, 66)), random.uniform(5, 8)
    disc = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return (ground if spoiled else np.where(disc, ground - 70, ground)).clip(0, 255).astype(np.uint8), disc


def half_spoiled(folder: Path, frames: int = 16) -> Path:
    """Every other frame is spoiled; the last one is good."""
    recipe = load_recipe("plate")
    writer = DatasetWriter(folder, recipe, 3, frames + 1, classes={"spot": "defect"})
    bit = [*recipe.class_families, "spot"].index("spot")
    for index in writer.missing():
        image, disc = frame(index, spoiled=index % 2 == 1 or index == frames)
        disc &= index < frames
        scene = draw(recipe, 3, index)
        camera = scene.camera.model_copy(update={"width": SHAPE[1], "height": SHAPE[0]})
        maps = disc.astype(np.uint16)
        instances = (Instance(1, "defect", "spot"),) if index < frames else ()
        scene = scene.model_copy(update={"camera": camera})
        writer.write(index, image, maps << bit, maps, np.zeros_like(maps), scene, instances)
    writer.finish()
    return folder


def real_set(folder: Path, count: int = 12) -> Path:
    """Sound pictures with masks, laid out as MVTec AD's."""
    for part in ("train/good", "test/spot", "ground_truth/spot"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        image, disc = frame(100 + number, spoiled=False)
        Image.fromarray(image).save(folder / "test" / "spot" / f"{number:03d}.png")
        Image.fromarray(disc).save(folder / "ground_truth" / "spot" / f"{number:03d}_mask.png")
    image, _ = frame(200, spoiled=True)
    Image.fromarray(image).save(folder / "train" / "good" / "000.png")
    return folder


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weighing")
    half_spoiled(folder / "made")
    real_set(folder / "real")
    return folder


def test_spoiled_frames_weigh_less_and_nothing_else_changes(there: Path, tmp_path: Path, run: Run) -> None:
    command = ("weigh", there / "made", "--validation", there / "real", *OPTIONS)
    told = run(*command, "--out", tmp_path / "weighed")
    assert told.code == 0, told
    before, after = Dataset(there / "made"), Dataset(tmp_path / "weighed")
    assert after.classes == before.classes
    validation = {sha256_of(sample.image_path) for sample in read_samples(there / "real")}
    for old, new in zip(before, after, strict=True):
        for name in ("image", "classes", "defects", "impurities"):
            assert np.array_equal(getattr(old, name), getattr(new, name))
        assert (new.scene, new.instances) == (old.scene, old.instances)
        record = new.refinement or {}
        assert record["parents"][0]["sha256"] == sha256_of(old.image_path)
    samples = read_samples(tmp_path / "weighed")
    weights = np.array([sample.weight for sample in samples])
    assert weights[-1] == 1.0
    assert weights[:-1].mean() == pytest.approx(1.0, abs=1e-5)
    sound, spoiled = weights[:-1:2], weights[1::2]
    assert (sound[:, None] > spoiled).mean() > 0.9  # the AUROC
    for old, new in zip(read_samples(there / "made"), samples, strict=True):
        assert validation <= new.ancestors  # so that a study leaves out what was weighed by what it judges with
        assert (new.group, new.label) == (old.group, old.label)
    assert run(*command, "--out", tmp_path / "again").code == 0
    assert contents(tmp_path / "weighed") == contents(tmp_path / "again")


def test_a_share_is_kept_and_a_stopped_run_ends_in_the_same_bytes(there: Path, tmp_path: Path, run: Run) -> None:
    command = ("weigh", there / "made", "--validation", there / "real", *OPTIONS, "--keep", 0.5)
    assert run(*command, "--out", tmp_path / "best").code == 0
    frames = list(Dataset(tmp_path / "best"))
    assert len(frames) == 9
    origins = [(frame.refinement or {})["parents"][0]["frame"] for frame in frames]
    assert sum(origin % 2 == 0 for origin in origins[:-1]) >= 7
    assert origins[-1] == 16
    whole = contents(tmp_path / "best")
    (tmp_path / "best" / "scenes" / "000003.json").unlink()
    (tmp_path / "best" / "annotations.json").unlink()
    assert run(*command, "--out", tmp_path / "best").code == 0
    assert contents(tmp_path / "best") == whole


def test_what_cannot_be_weighed_is_refused(there: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "names.txt").write_text("nobody\n")
    good = tmp_path / "good" / "train" / "good"
    good.mkdir(parents=True)
    Image.fromarray(frame(0, spoiled=True)[0]).save(good / "000.png")
    real = ("--validation", there / "real")
    for asked, said in {
        (there / "made", "--validation", tmp_path / "good", "--out", tmp_path / "no"): "shows no defect",
        (there / "made", *real, "--validation-only", tmp_path / "names.txt", "--out", tmp_path / "no"): "nobody",
        (there / "made", *real, "--out", there / "made"): "choose another folder",
        (there / "real", *real, "--out", tmp_path / "no"): "dataset.json",
    }.items():
        assert said in run("weigh", *asked, *OPTIONS).refusal()
    assert not (tmp_path / "no" / "dataset.json").exists()


def test_windows_show_the_defect_whole_and_what_is_beneath_it(there: Path) -> None:
    sample = read_samples(there / "made")[0]
    (window,) = windows_of(sample)
    defect = sample.truth().defect
    assert window.image.shape == (SIDE, SIDE, 3)
    assert window.mask.sum() == defect.sum()
    assert window.image[window.mask].mean() < 100
    assert window.filled[window.mask].mean() == pytest.approx(150, abs=15)
    near = np.abs(window.image.astype(int) - window.filled).max(axis=2) > 0
    assert not near[:, :2].any() or window.mask[:, :3].any()
    other = background_of(sample, np.random.default_rng(0))
    assert not other.mask.any()
    assert other.image.mean() == pytest.approx(150, abs=5)


def test_inspectors_leave_out_pictures_that_weigh_nothing(there: Path) -> None:
    samples = read_samples(there / "real")
    good = training_part(samples)
    assert len(good) == 1
    none = [replace(sample, weight=0.0) for sample in good]
    assert training_part([*samples, *none]) == good
