"""Finding defects with a BiSQAD as a task of the engine: the ablation that the abstract of [Qian 2025] names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from anomaly.backbone.patch_extractor import patch_extractor
from anomaly.bisqad.examples import pieces_of
from anomaly.bisqad.model import BisqadModel
from anomaly.bisqad.train import Settings, fit
from anomaly.inspection.computing import Computing
from anomaly.inspection.inspector import BISQAD, Inspector, TrainingRecord
from anomaly.studies.anomaly.counts import SurfaceCounter, SurfaceCounts
from anomaly.studies.anomaly.replicates import replicated
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
from anomaly.studies.engine.training import MODEL, load_state, save_state
from procgen.errors import BlemishError
from scenes.formats.sample import GOOD, Sample
from scenes.jobs.progress import Progress

FIGURES = (
    Figure("image_auroc", "image AUROC", "Image AUROC", "chance that a defective picture scores above a good one"),
    Figure("pixel_auroc", "pixel AUROC", "Pixel AUROC", "chance that a defective pixel scores above a good one"),
)
PICTURES = "defective_pictures"
SHOWN = 0.5  # probability from which a pixel is shown as defective


class BisqadSettings(LearnerSettings):
    """How a BiSQAD is built and trained.

    backbone: frozen. scale: working pixels per picture pixel. learnt_from: real and synthetic pictures alike, or of
    defective ones the synthetic alone. weights: those of the pictures, or learnt beside the head so that it does well
    on the real defective pictures to train on, of which it is then not shown any.
    """

    backbone: str = "embedded"
    scale: Annotated[float, Field(gt=0, le=8)] = 1.0
    learnt_from: Literal["all", "synthetic"] = "all"
    weights: Literal["given", "learnt"] = "given"


class Bisqad:
    """Defects of any class, found by anomaly maps, judged by areas under curves over surfaces."""

    name = "bisqad"
    settings: type[LearnerSettings] = BisqadSettings
    figures = FIGURES
    code = (
        *LEARNING,
        "backbone/extractor", "backbone/patch_scorer", "bisqad/examples", "bisqad/model", "bisqad/train",
        "weighting/bilevel", "weighting/detector", "weighting/estimator", "weighting/learning", "weighting/strangeness",
        "weighting/windows", "studies/anomaly/counts", "studies/bisqad/task",
    )  # fmt: skip
    libraries = ("numpy", "opencv-python-headless", "timm", "torch")
    published: tuple[PublishedTable, ...] = ()

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
        """Train a head; nothing is chosen on the validation part. Raises BlemishError where nothing can be learnt."""
        if any(picture.truth_of is not None for picture in training.pictures):
            raise BlemishError("learner: a BiSQAD learns from pictures with their own masks; leave out shuffled arms")
        alone = settings.learnt_from == "synthetic" or settings.weights == "learnt"
        shown = [each for each in training.pictures if each.is_synthetic or not alone or each.sample.label == GOOD]
        teachers = [each for each in training.pictures if not each.is_synthetic and each.sample.label != GOOD]
        model, computing = BisqadModel(patch_extractor(settings.backbone)), Computing(device)
        model.to(device)
        pieces = pieces_of(
            [_weighted(each) for each in shown],
            model,
            settings.scale,
            computing,
            seed,
            settings.weights == "learnt",
            progress,
        )
        others = None
        if settings.weights == "learnt":
            real = [_weighted(each) for each in teachers]
            others = pieces_of(real, model, settings.scale, computing, seed, True, progress)
        steps = settings.epochs * -(-training.epoch_length // settings.batch)
        learning = Settings(steps=steps, batch=settings.batch, rate=settings.learning_rate, seed=seed)
        fit(model, pieces, others, learning, progress)
        save_state(folder / MODEL, {name: value.cpu() for name, value in model.tensors().items()})

    def evaluate(
        self,
        folder: Path,
        test: Sequence[LabelledPicture],
        classes: Classes,
        settings: Any,
        device: str,
        progress: Progress,
    ) -> SurfaceStatistics:
        """Scores of pictures, and of the pixels of every surface, defective ones apart."""
        inspector, counter = _inspector(folder, settings, device), SurfaceCounter(-float(np.log(1 - SHOWN)))
        for done, picture in enumerate(test, 1):
            sample = picture.sample
            valid = sample.valid_mask()
            anomaly_map, score = inspector.predict(sample.image(), valid)
            counter.update(anomaly_map, sample.truth(), sample.label, sample.group, score, valid)
            progress("evaluating", done, len(test))
        counts = counter.counts()
        told = {**vars(counts), "classes": np.array(counts.classes).reshape(-1, 2)}
        told[PICTURES] = told.pop("defective")  # a name that statistics have for surfaces
        return SurfaceStatistics(told.pop("surfaces"), counts.defective_surfaces, told)

    def refusal(self, picture: LabelledPicture) -> str:
        """Why it is not known what it shows."""
        return undecided(picture)

    def replicated(self, statistics: SurfaceStatistics, classes: Classes, weights: Values) -> dict[str, Values]:
        """Both areas for many choices of surfaces."""
        told: dict[str, Any] = dict(statistics.counts)
        told |= {"defective": told.pop(PICTURES), "classes": tuple(map(tuple, told["classes"].tolist()))}
        found = replicated(SurfaceCounts(surfaces=statistics.surfaces, **told), weights)
        return {figure.key: found[figure.key] for figure in FIGURES}

    def predict(
        self, folder: Path, pictures: Sequence[LabelledPicture], classes: Classes, settings: Any, device: str
    ) -> list[Prediction]:
        """Where pictures are rather defective than not, and the highest probability."""
        inspector, found = _inspector(folder, settings, device), []
        for picture in pictures:
            anomaly_map, score = inspector.predict(picture.image(), picture.sample.valid_mask())
            mask = (anomaly_map >= -np.log(1 - SHOWN)).astype(np.uint8)
            found.append(Prediction(f"{100 * -np.expm1(-score):.0f} %", mask))
        return found


def _weighted(picture: LabelledPicture) -> Sample:
    return replace(picture.sample, weight=picture.weight)


def _inspector(folder: Path, settings: BisqadSettings, device: str) -> Inspector:
    """With the head that was learnt. Raises BlemishError where it cannot be read."""
    model = BisqadModel(patch_extractor(settings.backbone))
    model.restore(load_state(folder / MODEL))
    extractor = model.extractor
    record = TrainingRecord(
        detector=BISQAD,
        backbone=extractor.backbone,
        pretrained=extractor.pretrained,
        weights=extractor.weights,
        size=0,
        epochs=0,
        scale=settings.scale,
        seed=0,
        trained_on=(),
        groups=(),
        pictures="",
    )
    return Inspector(model, record).on(Computing(device))
