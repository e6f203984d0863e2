"""A detector learns four pictures by heart, nothing from others' boxes, and goes on after a kill to the same bytes."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomaly.studies.detection.average_precision import Boxes
from anomaly.studies.detection.learner import DetectionSettings, built, corners, detected, drawn
from anomaly.studies.detection.networks import NetworkError
from anomaly.studies.detection.task import Detection
from anomaly.studies.engine.labelled import LabelledPicture, TrainingSet
from scenes.jobs.progress import Progress
from tests.anomaly.studies.four_pictures import CLASSES, four_pictures

QUICK = DetectionSettings(epochs=40, batch=4, learning_rate=0.005, width=32, crop=64, flips=False, around_defects=0)
TASK = Detection()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledPicture, ...]:
    return four_pictures(tmp_path_factory.mktemp("pictures"), 14, (44, 40))


def learnt(
    folder: Path,
    training: tuple[LabelledPicture, ...],
    settings: DetectionSettings = QUICK,
    progress: Progress = lambda *_: None,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    TASK.train(TrainingSet(training, len(training)), training[:2], CLASSES, settings, 3, "cpu", folder, progress)


def judged(folder: Path, test: tuple[LabelledPicture, ...], settings: DetectionSettings = QUICK) -> dict[str, float]:
    statistics = TASK.evaluate(folder, test, CLASSES, settings, "cpu", lambda *_: None)
    every = TASK.replicated(statistics, CLASSES, np.ones((1, len(statistics.surfaces))))
    return {key: float(values[0]) for key, values in every.items()}


def test_four_pictures_are_learnt_by_heart(tmp_path: Path, pictures: tuple[LabelledPicture, ...]) -> None:
    learnt(tmp_path, pictures)
    figures = judged(tmp_path, pictures)
    assert figures["map50"] > 0.9
    assert figures["map"] > 0.5
    assert figures["recall"] > 0.85
    for prediction, picture in zip(TASK.predict(tmp_path, pictures, CLASSES, QUICK, "cpu"), pictures, strict=True):
        boxes, labels = picture.boxes()
        assert set(prediction.labels.tolist()) == set(labels.tolist())
        for box, label in zip(boxes, labels, strict=True):
            best = np.abs(prediction.boxes[prediction.labels == label] - box).max(axis=1).min()
            assert best < 5


def test_boxes_of_other_pictures_teach_nothing(tmp_path: Path, pictures: tuple[LabelledPicture, ...]) -> None:
    wrong = tuple(
        replace(each, sample=replace(each.sample, annotation=pictures[k - 1].sample.annotation))
        for k, each in enumerate(pictures)
    )
    learnt(tmp_path, wrong, QUICK.model_copy(update={"epochs": 12}))
    assert judged(tmp_path, pictures)["map"] < 0.15


class Killed(Exception):
    pass


def test_a_killed_training_ends_in_the_same_bytes(tmp_path: Path, pictures: tuple[LabelledPicture, ...]) -> None:
    settings = QUICK.model_copy(update={"epochs": 3, "batch": 3, "crop": 32, "flips": True, "around_defects": 0.5})
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
    assert set(files) == {"model.pt", "curve.json", "threshold.json"}


def test_boxes_move_with_their_pixels() -> None:
    image = np.zeros((100, 90, 3), np.uint8)
    boxes = np.array([[10, 20, 22, 27], [60, 70, 75, 90]], np.float32)
    for number, (left, top, right, bottom) in enumerate(boxes.astype(int), 1):
        image[top:bottom, left:right] = number
    truth = Boxes(boxes, np.array([1, 2]), np.zeros(0))
    settings = QUICK.model_copy(update={"flips": True, "around_defects": 0.7})
    rng, shapes = np.random.default_rng(0), set()
    for _ in range(80):
        part, seen = drawn(image, truth, settings, rng)
        assert part.shape == (64, 64, 3)
        for box, label in zip(seen.boxes, seen.labels, strict=True):
            left, top, right, bottom = box.astype(int)
            inside = part[top:bottom, left:right, 0] == label
            assert inside.all()
            assert inside.sum() == (part[..., 0] == label).sum()
            shapes.add((right - left, bottom - top))
        hidden = {1, 2} - set(seen.labels.tolist())
        for label in hidden:
            area = np.prod(boxes[label - 1][2:] - boxes[label - 1][:2])
            assert (part[..., 0] == label).sum() < 0.4 * area
    assert {(12, 7), (7, 12)} <= shapes


def test_tiles_cover_every_pixel_and_overlap() -> None:
    for shape in ((640, 640, 3), (320, 900, 3), (100, 321, 3)):
        seen = np.zeros(shape[:2], int)
        places = corners(shape, 320)
        for row, column in places:
            assert row + 320 <= max(320, shape[0])
            assert column + 320 <= max(320, shape[1])
            seen[row : row + 320, column : column + 320] += 1
        assert (seen > 0).all()
        rows, columns = ({place[k] for place in places} for k in (0, 1))
        for starts in (sorted(rows), sorted(columns)):
            assert all(after - before <= 240 for before, after in itertools.pairwise(starts))
    assert corners((640, 640, 3), None) == [(0, 0)]


def test_ssdlite_sees_tiles_and_gives_boxes_of_the_picture() -> None:
    settings = DetectionSettings(epochs=1, batch=1, learning_rate=0.01, network="ssdlite", crop=320, scale=2.0)
    network = built(settings, CLASSES, 0, "cpu").eval()
    image = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    found = detected(network, image, settings, "cpu")
    assert len(found.boxes)
    assert (found.boxes >= 0).all()
    assert (found.boxes[:, [0, 2]] <= 200).all()
    assert (found.boxes[:, [1, 3]] <= 150).all()
    assert found.boxes[:, 2].max() > 160  # beyond the first tile
    assert (np.diff(found.scores) <= 0).all()


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(NetworkError, match=r"found learner.crop 64; expected 320"):
        built(QUICK.model_copy(update={"network": "ssdlite"}), CLASSES, 0, "cpu")
    with pytest.raises(NetworkError, match=r"found learner.imagenet with learner.network fcos and learner.encoder res"):
        built(QUICK.model_copy(update={"imagenet": True, "encoder": "resnet18"}), CLASSES, 0, "cpu")
