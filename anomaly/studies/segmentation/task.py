"""Segmentation as a task of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.studies.engine.labelled import Classes, LabelledPicture, TrainingSet, surfaces_of, undecided
from anomaly.studies.engine.task import (
    LEARNING,
    Figure,
    LearnerSettings,
    Prediction,
    PublishedTable,
    SurfaceStatistics,
    Values,
)
from anomaly.studies.engine.training import Fitting, fit, keep_network, restored
from anomaly.studies.segmentation.confusion import confusion, figures_of
from anomaly.studies.segmentation.learner import SegmentationSettings, built, lesson, segmented, settings_of
from anomaly.studies.segmentation.published import TABLES
from scenes.jobs.progress import Progress

FIGURES = (
    Figure("iou", "mIoU", "Mean IoU", "mean over the defect classes of intersection over union, all pixels together"),
    Figure("recall", "mAcc", "Mean recall", "mean over the defect classes of the share of their pixels that is found"),
    Figure(
        "iou_with_background",
        "mIoU, background",
        "Mean IoU with the background",
        "the same mean with the background as one more class",
    ),
    Figure(
        "recall_with_background",
        "mAcc, background",
        "Mean recall with the background",
        "the same mean with the background as one more class",
    ),
)


class Segmentation:
    """Every pixel's class, judged by confusion counts of each surface."""

    name = "segmentation"
    settings: type[LearnerSettings] = SegmentationSettings
    figures = FIGURES
    code = (
        *LEARNING,
        "studies/segmentation/bisenet_v2", "studies/segmentation/fast_scnn", "studies/segmentation/networks",
        "studies/segmentation/losses", "studies/segmentation/learner", "studies/segmentation/confusion",
        "studies/segmentation/task",
    )  # fmt: skip
    libraries = ("numpy", "opencv-python-headless", "segmentation-models-pytorch", "timm", "torch", "torchvision")
    published: tuple[PublishedTable, ...] = TABLES

    def refusal(self, picture: LabelledPicture) -> str:
        """Why its pixels are not known."""
        return undecided(picture)

    def train(
        self,
        training: TrainingSet,
        validation: Sequence[LabelledPicture],
        classes: Classes,
        settings: Any,
        seed: int,
        device: str,
        folder: Path,
        progress: Progress,
    ) -> None:
        """Train on crops; nothing is chosen on the validation part."""
        network = built(settings, classes, seed, device)
        step, state = lesson(network, training, settings, device)
        fitting = Fitting(folder, settings.epochs, settings.batch, seed, settings_of(settings, classes, seed))
        fit(fitting, training, step, state, progress)
        keep_network(folder, network)

    def evaluate(
        self,
        folder: Path,
        test: Sequence[LabelledPicture],
        classes: Classes,
        settings: Any,
        device: str,
        progress: Progress,
    ) -> SurfaceStatistics:
        """Pixels of every surface by their true and their predicted class."""
        network = restored(folder, built(settings, classes, 0, device, is_trained=True))
        count = len(classes.all_names)
        surfaces, places, defective = surfaces_of(test)
        counts = np.zeros((len(surfaces), count, count), np.int64)
        for done, (place, picture) in enumerate(zip(places, test, strict=True), 1):
            predicted = segmented(network, picture.image(), settings.scale, device)
            counts[place] += confusion(picture.class_mask(), predicted, count)
            progress("evaluating", done, len(test))
        return SurfaceStatistics(surfaces, defective, {"confusion": counts})

    def replicated(self, statistics: SurfaceStatistics, classes: Classes, weights: Values) -> dict[str, Values]:
        """Every figure for many choices of surfaces."""
        return figures_of(statistics.counts["confusion"], classes.names, weights)

    def predict(
        self, folder: Path, pictures: Sequence[LabelledPicture], classes: Classes, settings: Any, device: str
    ) -> list[Prediction]:
        """The classes of the pixels of a few pictures."""
        network = restored(folder, built(settings, classes, 0, device, is_trained=True))
        return [Prediction(mask=segmented(network, each.image(), settings.scale, device)) for each in pictures]
