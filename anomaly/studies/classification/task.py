"""Classification as a task of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomaly.studies.classification.figures import counted, figures_of
from anomaly.studies.classification.learner import built, lesson, probabilities, settings_of
from anomaly.studies.classification.published import TABLES
from anomaly.studies.classification.settings import ClassificationSettings
from anomaly.studies.engine.labelled import Classes, LabelledPicture, TrainingSet, undecided
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
from scenes.jobs.progress import Progress

TOGETHER = 16  # pictures that are judged at once
FIGURES = (
    Figure("macro_f1", "F1", "Macro F1", "mean over the classes, good among them, of the F1 of each"),
    Figure("accuracy", "acc.", "Accuracy", "share of the pictures whose class is found"),
    Figure("mean_recall", "mean recall", "Mean recall", "mean over the classes of the share of their pictures found"),
)


class Classification:
    """A picture's class, judged by confusion counts of each surface."""

    name = "classification"
    settings: type[LearnerSettings] = ClassificationSettings
    figures = FIGURES
    code = (
        *LEARNING,
        "studies/classification/settings", "studies/classification/mixing", "studies/classification/learner",
        "studies/classification/figures", "studies/classification/task",
    )  # fmt: skip
    libraries = ("numpy", "opencv-python-headless", "timm", "torch", "torchmetrics")
    published: tuple[PublishedTable, ...] = TABLES

    def refusal(self, picture: LabelledPicture) -> str:
        """Why it is neither good nor shows defects of a single class."""
        if (unknown := undecided(picture)) or picture.label is not None:
            return unknown
        return "of several classes" if "+" in picture.sample.label else "of a class that the study does not name"

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
        """Train on whole pictures; nothing is chosen on the validation part."""
        classifier = built(settings, classes, seed, device)
        step, state = lesson(classifier, training, classes, settings, device)
        fitting = Fitting(folder, settings.epochs, settings.batch, seed, settings_of(settings, classes, seed))
        fit(fitting, training, step, state, progress)
        keep_network(folder, classifier)

    def evaluate(
        self,
        folder: Path,
        test: Sequence[LabelledPicture],
        classes: Classes,
        settings: Any,
        device: str,
        progress: Progress,
    ) -> SurfaceStatistics:
        """Pictures of every surface by their true and their predicted class."""
        classifier = restored(folder, built(settings, classes, 0, device, is_trained=True))
        found: list[int] = []
        for begin in range(0, len(test), TOGETHER):
            part = test[begin : begin + TOGETHER]
            found += probabilities(classifier, part, settings.image_size, device).argmax(axis=1).tolist()
            progress("evaluating", len(found), len(test))
        return counted(test, found, len(classes.all_names))

    def replicated(self, statistics: SurfaceStatistics, classes: Classes, weights: Values) -> dict[str, Values]:
        """Every figure for many choices of surfaces."""
        return figures_of(statistics.counts["confusion"], classes.all_names, weights)

    def predict(
        self, folder: Path, pictures: Sequence[LabelledPicture], classes: Classes, settings: Any, device: str
    ) -> list[Prediction]:
        """The likeliest class of each picture, and how likely it is."""
        network = restored(folder, built(settings, classes, 0, device, is_trained=True))
        found = probabilities(network, pictures, settings.image_size, device)
        return [Prediction(f"{classes.all_names[row.argmax()]} {100 * row.max():.0f} %") for row in found]
