"""Training and judging one arm for one seed: the part of a study that is shared out among workers, job by job."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from anomaly.studies.engine.cache import READING, Cache, StepKind, content_of, key_of
from anomaly.studies.engine.labelled import Classes, LabelledPicture, TrainingSet
from anomaly.studies.engine.task import LearnerSettings, SurfaceStatistics, Task
from scenes.formats.sample import Sample
from scenes.jobs.executor import Executor, Place, Simple, Worker
from scenes.jobs.progress import Progress, untold

STATISTICS = "statistics.npz"
SHARED = ("studies/engine/jobs", "studies/engine/task")


@dataclass(frozen=True)
class Job:
    """An arm and a seed, with all that its results follow from."""

    arm: str
    seed: int
    task: Task
    training: TrainingSet
    validation: tuple[LabelledPicture, ...]
    test: tuple[LabelledPicture, ...]
    classes: Classes
    settings: LearnerSettings
    device: str
    threads: int

    @property
    def models(self) -> StepKind:
        return StepKind("models", (*READING, *SHARED, *self.task.code), ("pillow", *self.task.libraries))

    @property
    def evaluations(self) -> StepKind:
        return StepKind("evaluations", (*READING, *SHARED, *self.task.code), ("pillow", *self.task.libraries))

    def inputs(self, content: Callable[[Sequence[LabelledPicture]], str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the model and its evaluation depend on, as JSON values; content: a digest of pictures."""
        training = self.training
        model = {
            "task": self.task.name,
            "settings": self.settings.model_dump(mode="json"),
            "classes": [list(self.classes.names), dict(self.classes.meanings)],
            "seed": self.seed,
            "device": [self.device.partition(":")[0], self.threads],
            "pictures": content(training.pictures),
            "weights": [picture.weight for picture in training.pictures],
            "synthetic": sum(picture.is_synthetic for picture in training.pictures),
            "epoch": [training.epoch_length, training.synthetic_share],
            "validation": content(self.validation),
        }
        return model, {"model": key_of(self.models, model), "test": content(self.test)}

    def run(self, cache: Cache, inputs: tuple[dict[str, Any], dict[str, Any]], progress: Progress) -> None:
        """Train and judge what the cache does not hold yet."""
        model_inputs, evaluation_inputs = inputs
        with _threads(self.threads):
            folder = cache.step(
                self.models,
                evaluation_inputs["model"],
                model_inputs,
                lambda out: self.task.train(
                    self.training, self.validation, self.classes, self.settings, self.seed, self.device, out, progress
                ),
            )

            def judge(out: Path) -> None:
                found = self.task.evaluate(folder, self.test, self.classes, self.settings, self.device, progress)
                found.save(out / STATISTICS)

            cache.step(self.evaluations, key_of(self.evaluations, evaluation_inputs), evaluation_inputs, judge)


def statistics_of(cache: Cache, job: Job, inputs: tuple[dict[str, Any], dict[str, Any]]) -> SurfaceStatistics:
    """What judging left behind."""
    place = cache.place(job.evaluations, key_of(job.evaluations, inputs[1]))
    return SurfaceStatistics.load(place / STATISTICS)


class Contents:
    """Digests of pictures and of their truths, each file read once."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def __call__(self, pictures: Sequence[LabelledPicture]) -> str:
        parts = [self._of(p.sample) + (self._of(p.truth_of) if p.truth_of is not None else "") for p in pictures]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _of(self, sample: Sample) -> str:
        if id(sample) not in self._known:
            self._known[id(sample)] = content_of([sample])
        return self._known[id(sample)]


_Task = tuple[Job, tuple[dict[str, Any], dict[str, Any]]]


def run_all(
    jobs: Mapping[str, _Task], cache: Cache, executor: Executor, done: Callable[[str], None], progress: Progress
) -> None:
    """Run jobs by name; done: told each that has ended. Nothing is lost of those that were stopped."""
    names = list(jobs)
    work = _Learning(cache.folder.resolve(), progress if executor.is_here else untold)
    executor.run(work, list(jobs.values()), lambda position, _: done(names[position]))


@dataclass(frozen=True)
class _Learning:
    """Jobs, as work: what comes of them lies in the cache."""

    folder: Path
    progress: Progress

    has_own_process = False

    def open(self, place: Place) -> Worker[_Task, None]:
        cache = Cache(self.folder)

        def do(task: _Task) -> None:
            job, inputs = task
            job.run(cache, inputs, self.progress)

        return Simple(do)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
