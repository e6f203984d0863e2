"""What the engine asks of a task: to train a learner on labelled pictures, to judge it, and to sum up what was counted.

A task is a package beside this one (`classification`, `segmentation`, `detection`) with one object that keeps the
protocol `Task`, named in `registry.TASKS`. The engine does everything else: the study's file, the split by surfaces,
the arms and their datasets, the cache, the processes, the intervals and the report.

    settings   a pydantic model of the learner, the section `learner` of a study's file; arms may change fields of it
    train      labelled pictures in, a model in a folder out; killed and begun again, it ends in the same bytes
    evaluate   a model and test pictures in, statistics of every surface out: counts, from which all figures follow
    replicated figures for many choices among the surfaces at once, which is what the bootstrap asks for
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomaly.studies.engine.labelled import Classes, LabelledPicture, TrainingSet
from scenes.jobs.progress import Progress
from scenes.quantities.recipe_model import RecipeModel

Values = NDArray[np.float64]


class LearnerSettings(RecipeModel):
    """What every learner has; a task's own settings derive from it.

    epochs: an epoch shows as many pictures as there are real ones to train on, whatever an arm adds, so that every arm
    takes the same steps. batch: pictures a step. synthetic_share: of each batch; by default that of the pictures.
    """

    epochs: Annotated[int, Field(strict=True, ge=1, le=100_000)]
    batch: Annotated[int, Field(strict=True, ge=1, le=1024)]
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.01
    synthetic_share: Annotated[float, Field(gt=0, lt=1)] | None = None


@dataclass(frozen=True)
class Figure:
    """A figure that a task gives: its key, a short heading for tables, a title for charts, and what it is."""

    key: str
    heading: str
    title: str
    explanation: str


@dataclass(frozen=True)
class PublishedTable:
    """A paper's table, to stand beside a study's own: shares of 1, None where the text leaves one out.

    citation: a key of the references; rows: by the paper's word for the way of training, a value for every column.
    """

    title: str
    citation: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | None, ...]]
    remark: str = ""


@dataclass(frozen=True, eq=False)
class SurfaceStatistics:
    """What was counted on test pictures, by surface (G of them): enough to compute every figure for any choice of them.

    surfaces: their names, sorted; defective (G,): whether any picture of it shows a defect. counts: by name; what a
    task's `replicated` understands. Counts with G rows are best: those of a replicate are their weighted sums.
    """

    surfaces: tuple[str, ...]
    defective: NDArray[np.bool_]
    counts: Mapping[str, NDArray[Any]]

    def save(self, path: Path) -> None:
        """Write to a .npz file, the same bytes for the same statistics."""
        np.savez_compressed(path, surfaces=np.array(self.surfaces), defective=self.defective, **dict(self.counts))

    @classmethod
    def load(cls, path: Path) -> SurfaceStatistics:
        with np.load(path, allow_pickle=False) as stored:
            values: dict[str, Any] = dict(stored)
        return cls(tuple(map(str, values.pop("surfaces"))), values.pop("defective"), values)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a learner says of one picture, for the report: whatever of these its task has.

    caption: in words, such as a class and its probability; mask (H, W): classes; boxes (N, 4) as those of a
    `LabelledPicture`, with their classes and scores (N,).
    """

    caption: str = ""
    mask: NDArray[np.uint8] | None = None
    boxes: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


# Modules of the engine that decide what any task's learner becomes.
LEARNING = (
    "studies/engine/crops", "studies/engine/descent", "studies/engine/encoders", "studies/engine/labelled",
    "studies/engine/training",
)  # fmt: skip


class Task(Protocol):
    """One kind of downstream task; its object holds no state.

    name: as `--task` has it. settings: the model of the study's section `learner`. figures: those of the main table and
    the charts, the first of them the headline. code: modules of `anomaly`, as "studies/segmentation/losses", and
    libraries: distributions, whose change makes models anew. published: tables of papers.
    """

    name: str
    settings: type[LearnerSettings]
    figures: tuple[Figure, ...]
    code: tuple[str, ...]
    libraries: tuple[str, ...]
    published: tuple[PublishedTable, ...]

    def refusal(self, picture: LabelledPicture) -> str:
        """Why a picture can be neither trained on nor judged, as "of several classes"; "" where it can.

        Those that cannot are left out, and the report counts them with the reason.
        """

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
        """Train a learner, from weights that follow from `seed`, and leave it in `folder`.

        The order of pictures is `training.epoch(number, seed)`; the loss of each counts its `weight`. What `folder`
        holds of a training that was stopped is gone on with, to the same bytes: `training.fit` does so. validation:
        surfaces neither trained on nor judged, for a choice such as that of a threshold. Raises BlemishError.
        """

    def evaluate(
        self,
        folder: Path,
        test: Sequence[LabelledPicture],
        classes: Classes,
        settings: Any,
        device: str,
        progress: Progress,
    ) -> SurfaceStatistics:
        """Judge the learner that `train` left in `folder` on every test picture."""

    def replicated(self, statistics: SurfaceStatistics, classes: Classes, weights: Values) -> dict[str, Values]:
        """Every figure, each (R,), for R choices of surfaces: weights (R, G) say how often each surface is drawn.

        By the keys of `figures`; figures of single classes as "KEY/CLASS". NaN where one is not defined.
        """

    def predict(
        self, folder: Path, pictures: Sequence[LabelledPicture], classes: Classes, settings: Any, device: str
    ) -> list[Prediction]:
        """What the learner in `folder` says of a few pictures, which the report shows."""
