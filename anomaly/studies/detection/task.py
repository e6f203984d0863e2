"""Detection as a task of the engine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from anomaly.studies.detection.average_precision import Boxes, best_threshold, figures_of, matches
from anomaly.studies.detection.learner import DetectionSettings, built, detected, lesson, settings_of, truth_of
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
from scenes.datasets.files import write_atomically
from scenes.jobs.progress import Progress

THRESHOLD = "threshold.json"  # beside the weights: the score of best F1 on the validation surfaces

FIGURES = (
    Figure("map", "mAP@50-95", "Mean average precision", "mean over the classes and over ten overlaps, as COCO has it"),
    Figure("map50", "mAP@50", "Mean average precision at .5", "the same at an intersection over union of .5 alone"),
    Figure(
        "recall",
        "recall",
        "Recall",
        "mean over the classes of the share of defects found at an overlap of .5, at the score of best F1 on the "
        "validation surfaces",
    ),
    Figure("precision", "precision", "Precision", "mean over the classes of the share of detections that are right"),
)


class Detection:
    """Boxes round defects, judged by average precision."""

    name = "detection"
    settings: type[LearnerSettings] = DetectionSettings
    figures = FIGURES
    code = (
        *LEARNING,
        "studies/detection/networks", "studies/detection/learner", "studies/detection/average_precision",
        "studies/detection/task",
    )  # fmt: skip
    libraries = ("numpy", "opencv-python-headless", "pycocotools", "timm", "torch", "torchvision")
    published: tuple[PublishedTable, ...] = (
        PublishedTable(
            "PKU-Market-PCB",
            "Luo 2025",
            ("mAP@50-95",),
            {"real only": (0.496,), "with synthetic pictures": (0.557,)},
            "The text names neither the detector nor the split; its relative gain is 12.3 %.",
        ),
    )

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
        """Train on crops, and find the score of best F1 on the validation part."""
        detector = built(settings, classes, seed, device)
        step, state = lesson(detector, training, settings, device)
        fitting = Fitting(folder, settings.epochs, settings.batch, seed, settings_of(settings, classes, seed))
        fit(fitting, training, step, state, progress)
        truths, found = _seen(detector.eval(), validation, settings, device, "finding the threshold", progress)
        counts = matches(truths, found, [0] * len(validation), 1, len(classes.names))
        write_atomically(folder / THRESHOLD, json.dumps({"score": best_threshold(counts)}).encode() + b"\n")
        keep_network(folder, detector)

    def evaluate(
        self,
        folder: Path,
        test: Sequence[LabelledPicture],
        classes: Classes,
        settings: Any,
        device: str,
        progress: Progress,
    ) -> SurfaceStatistics:
        """Detections of all pictures, and which are right at which overlap."""
        network = restored(folder, built(settings, classes, 0, device, is_trained=True))
        surfaces, places, defective = surfaces_of(test)
        truths, found = _seen(network, test, settings, device, "evaluating", progress)
        counts = matches(truths, found, places, len(surfaces), len(classes.names))
        counts["threshold"] = np.array([_threshold(folder)])
        return SurfaceStatistics(surfaces, defective, counts)

    def replicated(self, statistics: SurfaceStatistics, classes: Classes, weights: Values) -> dict[str, Values]:
        """Every figure for many choices of surfaces."""
        return figures_of(statistics.counts, classes.names, weights)

    def predict(
        self, folder: Path, pictures: Sequence[LabelledPicture], classes: Classes, settings: Any, device: str
    ) -> list[Prediction]:
        """The boxes of a few pictures whose score is the threshold or more."""
        network, threshold = restored(folder, built(settings, classes, 0, device, is_trained=True)), _threshold(folder)
        predictions = []
        for picture in pictures:
            found = detected(network, picture.image(), settings, device)
            sure = found.scores >= threshold
            predictions.append(
                Prediction(boxes=found.boxes[sure], labels=found.labels[sure], scores=found.scores[sure])
            )
        return predictions

    def refusal(self, picture: LabelledPicture) -> str:
        """Why its defects are not known."""
        return undecided(picture)


def _seen(
    network: nn.Module,
    pictures: Sequence[LabelledPicture],
    settings: DetectionSettings,
    device: str,
    what: str,
    progress: Progress,
) -> tuple[list[Boxes], list[Boxes]]:
    """The true boxes of pictures, and those that a network finds."""
    truths, found = [], []
    for done, picture in enumerate(pictures, 1):
        truths.append(truth_of(picture))
        found.append(detected(network, picture.image(), settings, device))
        progress(what, done, len(pictures))
    return truths, found


def _threshold(folder: Path) -> float:
    return float(json.loads((folder / THRESHOLD).read_text(encoding="utf-8"))["score"])
