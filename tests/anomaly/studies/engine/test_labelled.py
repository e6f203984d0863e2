"""What learners see of a sample, and in which order."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.studies.engine.labelled import IGNORED, Classes, LabelledPicture, TrainingSet
from scenes.formats.sample import Sample
from scenes.formats.truth import MaskFile

CLASSES = Classes(("crack", "pore"), {"hole": "pore"})


@pytest.fixture
def picture(tmp_path: Path) -> LabelledPicture:
    """Two cracks (1), a hole (2), and a stain (3) that is no class of the study."""
    mask = np.zeros((20, 30), np.uint8)
    mask[2:5, 3:11] = 1
    mask[10, 20] = 1
    mask[8:12, 2:6] = 2
    mask[15:18, 20:25] = 3
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "image.png")
    truth = MaskFile(tmp_path / "mask.png", {1: "crack", 2: "hole", 3: "stain"})
    return LabelledPicture(Sample("a", "tile/1", "crack+hole+stain", tmp_path / "image.png", truth), CLASSES)


def test_classes_go_by_every_name_and_others_are_ignored(picture: LabelledPicture) -> None:
    written = np.asarray(Image.open(picture.sample.annotation.files()[0]))
    expected = np.select([written == 1, written == 2, written == 3], [1, 2, IGNORED], 0)
    np.testing.assert_array_equal(picture.class_mask(), expected)
    assert picture.labels == {1, 2}
    assert picture.label is None
    assert CLASSES.all_names == ("good", "crack", "pore")


def test_boxes_hold_their_pixels_and_no_more(picture: LabelledPicture) -> None:
    boxes, numbers = picture.boxes()
    found = {(int(number), *map(int, box)) for number, box in zip(numbers, boxes, strict=True)}
    assert found == {(1, 3, 2, 11, 5), (1, 20, 10, 21, 11), (2, 2, 8, 6, 12)}


def training_set(real: int, synthetic: int, length: int, share: float | None) -> TrainingSet:
    def picture(number: int, is_synthetic: bool) -> LabelledPicture:
        return LabelledPicture(Sample(str(number), str(number), "good", Path("none")), CLASSES, 1.0, is_synthetic)

    pictures = [picture(k, k >= real) for k in range(real + synthetic)]
    return TrainingSet(tuple(pictures), length, share)


def test_every_picture_comes_once_before_any_comes_twice() -> None:
    training = training_set(5, 6, 4, None)
    shown = [index for epoch in range(11) for index in training.epoch(epoch, 3)]
    for begin in range(0, 44, 11):
        assert sorted(shown[begin : begin + 11]) == list(range(11))
    assert shown[:11] != shown[11:22]
    assert training.epoch(2, 3) != training.epoch(2, 4)


def test_a_share_holds_in_every_batch_and_over_every_picture() -> None:
    training = training_set(6, 30, 8, 0.25)
    shown = [training.epoch(epoch, 0) for epoch in range(60)]
    assert all(sum(index >= 6 for index in epoch[part : part + 4]) == 1 for epoch in shown for part in (0, 4))
    times = Counter(index for epoch in shown for index in epoch)
    assert {times[index] for index in range(6)} == {60}
    assert {times[index] for index in range(6, 36)} == {4}
