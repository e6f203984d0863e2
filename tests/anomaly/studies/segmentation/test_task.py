"""A segmenter learns four pictures by heart, nothing from wrong masks, and goes on after a kill to the same bytes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from anomaly.backbone.packaged_weights import EFFICIENTNET_LITE0
from anomaly.studies.engine.labelled import IGNORED, LabelledPicture, TrainingSet
from anomaly.studies.segmentation.learner import SegmentationSettings, built, drawn
from anomaly.studies.segmentation.networks import NetworkError
from anomaly.studies.segmentation.task import Segmentation
from scenes.jobs.progress import Progress
from tests.anomaly.studies.four_pictures import CLASSES, four_pictures

QUICK = SegmentationSettings(
    epochs=40, batch=4, learning_rate=0.01, network="fast_scnn", loss="cross_entropy+dice", crop=64, around_defects=0.5
)
TASK = Segmentation()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledPicture, ...]:
    return four_pictures(tmp_path_factory.mktemp("pictures"), 18, (40, 38))


def learnt(
    folder: Path,
    training: tuple[LabelledPicture, ...],
    settings: SegmentationSettings = QUICK,
    progress: Progress = lambda *_: None,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    TASK.train(TrainingSet(training, len(training)), (), CLASSES, settings, 3, "cpu", folder, progress)


def judged(folder: Path, test: tuple[LabelledPicture, ...], settings: SegmentationSettings = QUICK) -> dict[str, float]:
    statistics = TASK.evaluate(folder, test, CLASSES, settings, "cpu", lambda *_: None)
    every = TASK.replicated(statistics, CLASSES, np.ones((1, len(statistics.surfaces))))
    return {key: float(values[0]) for key, values in every.items()}


def test_four_pictures_are_learnt_by_heart(tmp_path: Path, pictures: tuple[LabelledPicture, ...]) -> None:
    learnt(tmp_path, pictures)
    figures = judged(tmp_path, pictures)
    assert figures["iou"] > 0.85
    assert figures["recall"] > 0.9
    masks = [prediction.mask for prediction in TASK.predict(tmp_path, pictures, CLASSES, QUICK, "cpu")]
    assert all((mask == each.class_mask()).mean() > 0.95 for mask, each in zip(masks, pictures, strict=True))


def test_masks_of_other_pictures_teach_nothing(tmp_path: Path, pictures: tuple[LabelledPicture, ...]) -> None:
    others = [pictures[k - 1] for k in range(4)]
    wrong = tuple(
        replace(each, sample=replace(each.sample, annotation=other.sample.annotation))
        for each, other in zip(pictures, others, strict=True)
    )
    learnt(tmp_path, wrong, QUICK.model_copy(update={"epochs": 6}))
    # Chance: a mask thrown on another picture of the set.
    chance = np.mean([(a.class_mask() * (a.class_mask() == b.class_mask()) > 0).sum() / 1080 for a in pictures
                      for b in pictures if a is not b])  # fmt: skip
    assert judged(tmp_path, pictures)["iou"] < chance + 0.15


class Killed(Exception):
    pass


def test_a_killed_training_ends_in_the_same_bytes(tmp_path: Path, pictures: tuple[LabelledPicture, ...]) -> None:
    settings = QUICK.model_copy(update={"epochs": 3, "batch": 3, "network": "bisenet_v2", "crop": 32})
    learnt(tmp_path / "whole", pictures, settings)
    calls = 0

    def kill(what: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise Killed

    with pytest.raises(Killed):
        learnt(tmp_path / "killed", pictures, settings, kill)
    assert (tmp_path / "killed" / "checkpoint.pt").is_file()
    learnt(tmp_path / "killed", pictures, settings)
    files = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "killed").iterdir()} == files


def test_weights_decide_what_is_learnt(tmp_path: Path, pictures: tuple[LabelledPicture, ...]) -> None:
    settings = QUICK.model_copy(update={"epochs": 1})
    one = (pictures[0], replace(pictures[1], weight=1e-9), pictures[0], replace(pictures[2], weight=1e-9))
    two = (pictures[0], replace(pictures[2], weight=1e-9), pictures[0], replace(pictures[1], weight=1e-9))
    unweighted = (pictures[0], pictures[1], pictures[0], pictures[2])
    losses = []
    for name, training in (("one", one), ("two", two), ("unweighted", unweighted)):
        learnt(tmp_path / name, training, settings)
        losses.append(float((tmp_path / name / "curve.json").read_text().strip("[]\n")))
    assert losses[0] == pytest.approx(losses[2] / 2, rel=0.2)
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


def test_crops_lie_round_defects_in_the_stated_share() -> None:
    image, mask = np.zeros((200, 200, 3), np.uint8), np.zeros((200, 200), np.uint8)
    mask[:4, :4] = 1
    rng = np.random.default_rng(0)
    for share, expected in ((0.0, 0.0), (0.4, 0.4), (1.0, 1.0)):
        settings = QUICK.model_copy(update={"crop": 32, "around_defects": share, "flips": False})
        hits = np.mean([drawn(image, mask, settings, rng)[1].any() for _ in range(600)])
        assert hits == pytest.approx(expected, abs=0.06)


def test_flips_move_picture_and_mask_alike() -> None:
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 3, (64, 64)).astype(np.uint8)
    image = np.repeat(mask[..., None], 3, axis=2)
    settings = QUICK.model_copy(update={"crop": 64})
    seen = set()
    for _ in range(60):
        part, classes = drawn(image, mask, settings, rng)
        assert (part[..., 0] == classes).all()
        seen.add(classes.tobytes())
    assert len(seen) == 8  # all symmetries of a square


def test_pixels_beyond_the_picture_are_ignored() -> None:
    settings = QUICK.model_copy(update={"crop": 96, "flips": False})
    _, classes = drawn(np.zeros((64, 64, 3), np.uint8), np.ones((64, 64), np.uint8), settings, np.random.default_rng(0))
    assert (classes == IGNORED).sum() == 96 * 96 - 64 * 64


def test_statistics_are_by_surface_and_at_the_pictures_own_size(
    tmp_path: Path, pictures: tuple[LabelledPicture, ...]
) -> None:
    settings = QUICK.model_copy(update={"epochs": 1, "scale": 0.7, "crop": 32})
    learnt(tmp_path, pictures, settings)
    statistics = TASK.evaluate(tmp_path, pictures, CLASSES, settings, "cpu", lambda *_: None)
    assert statistics.surfaces == ("s0", "s1")
    assert statistics.counts["confusion"].sum(axis=(1, 2)).tolist() == [2 * 64 * 64] * 2
    assert statistics.defective.all()


def test_settings_are_checked() -> None:
    for name, value in (("loss", "hinge"), ("crop", 100), ("network", "vgg")):
        with pytest.raises(ValidationError):
            SegmentationSettings.model_validate({**QUICK.model_dump(), name: value})
    with pytest.raises(NetworkError, match=r"found 2 numbers in learner.class_weights; expected 3: one of the backgr"):
        built(QUICK.model_copy(update={"class_weights": (0.1, 0.9)}), CLASSES, 0, "cpu")


@pytest.mark.skipif(not EFFICIENTNET_LITE0.at_hand(), reason="the package with ImageNet weights is not installed")
def test_packaged_weights_are_loaded_before_learning_and_not_after() -> None:
    settings = QUICK.model_copy(update={"network": "fpn", "imagenet": True})
    fresh, again, trained = (
        built(settings, CLASSES, seed, "cpu", is_trained=is_trained) for seed, is_trained in ((0, 0), (1, 0), (0, 1))
    )
    key = "encoder.model.blocks.1.0.conv_pw.weight"
    assert (fresh.state_dict()[key] == again.state_dict()[key]).all()
    assert not (fresh.state_dict()[key] == trained.state_dict()[key]).all()
