"""BiSQAD as a task: it learns four pictures by heart, by weights that are given or learnt, to the same bytes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomaly.studies.bisqad.task import Bisqad, BisqadSettings
from anomaly.studies.engine.labelled import TrainingSet
from anomaly.studies.engine.training import MODEL
from procgen.errors import BlemishError
from scenes.jobs.progress import untold
from tests.anomaly.studies.four_pictures import CLASSES, four_pictures

TASK = Bisqad()
QUICK = BisqadSettings(epochs=60, batch=4, learning_rate=0.01, backbone="filters")


@pytest.mark.parametrize("weights", ["given", "learnt"])
def test_four_pictures_are_learnt_by_heart_to_the_same_bytes(tmp_path: Path, weights: str) -> None:
    real = four_pictures(tmp_path, 18, (40, 38))
    synthetic = tuple(replace(picture, is_synthetic=True) for picture in real)
    settings = QUICK.model_copy(update={"weights": weights, "learnt_from": "synthetic"})
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        training = TrainingSet((*real, *synthetic), 4)
        TASK.train(training, (), CLASSES, settings, 3, "cpu", tmp_path / name, untold)
    assert (tmp_path / "one" / MODEL).read_bytes() == (tmp_path / "two" / MODEL).read_bytes()
    statistics = TASK.evaluate(tmp_path / "one", real, CLASSES, settings, "cpu", untold)
    statistics.save(tmp_path / "statistics.npz")
    found = TASK.replicated(type(statistics).load(tmp_path / "statistics.npz"), CLASSES, np.ones((1, 2)))
    assert found["pixel_auroc"][0] > 0.9
    assert np.isnan(found["image_auroc"][0])  # no picture is good
    masks = [each.mask for each in TASK.predict(tmp_path / "one", real, CLASSES, settings, "cpu")]
    assert all(mask is not None and mask.any() for mask in masks)


def test_masks_of_other_pictures_are_refused(tmp_path: Path) -> None:
    first, second, *_ = four_pictures(tmp_path, 18, (40, 38))
    training = TrainingSet((replace(first, truth_of=second.sample),), 1)
    with pytest.raises(BlemishError, match="shuffled"):
        TASK.train(training, (), CLASSES, QUICK, 0, "cpu", tmp_path, untold)
