"""Running a downstream study: the real set, the arms' datasets, for every arm and seed a learner and its judgement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomaly.studies.engine.cache import Cache, key_of
from anomaly.studies.engine.jobs import Contents, Job, run_all, statistics_of
from anomaly.studies.engine.labelled import Classes, LabelledPicture
from anomaly.studies.engine.progress import StudyProgress
from anomaly.studies.engine.study import ArmSettings, DownstreamStudy
from anomaly.studies.engine.study_file import StudyFile, checked
from anomaly.studies.engine.task import LearnerSettings, Prediction, SurfaceStatistics, Task
from anomaly.studies.sources.arms import training_set
from anomaly.studies.sources.datasets import Sources, rendered
from anomaly.studies.sources.lineage import without_relatives
from anomaly.studies.sources.making import make_all
from anomaly.studies.sources.parts import in_pieces
from anomaly.studies.sources.real_set import Side, classes_of, parted, photographs_of, spread, thinned, trouble_with
from anomaly.studies.sources.renders import held_out_sets
from scenes.datasets.lock import locked
from scenes.datasets.verify import refuse_damaged
from scenes.formats.registry import read_samples
from scenes.formats.sample import Sample
from scenes.jobs.executor import Executor
from scenes.jobs.local import Local

HERE = Local()
SHOWN = 6  # pictures whose predictions the report shows, of every arm
EXAMPLES = 3  # pictures of every dataset that it shows


RELATED = "of a surface that is not trained on, or made of one"


@dataclass(frozen=True)
class Counts:
    """What an arm was trained on: real and synthetic pictures, and those left out because of what they were made of."""

    real: int
    synthetic: int
    related: int


@dataclass(frozen=True)
class Offer:
    """What a dataset offers to the arms of a seed: pictures in it, and those of them left out, by the reason.

    labels: of a dataset whose masks were found again after an edit, by class how many were kept, re-labelled, refused.
    """

    pictures: int
    left_out: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that a report is made of.

    photographs: their folder, None where renders stand for them; left_out: real pictures that the task does not take,
    by the reason. statistics and counts: by arm, one for every seed; offers: likewise by dataset. shown: test pictures
    of the first seed, with predictions by arm. examples: pictures of every dataset that arms add.
    """

    file: StudyFile[DownstreamStudy]
    task: Task
    settings: LearnerSettings
    classes: Classes
    photographs: Path | None
    device: str
    real: list[LabelledPicture]
    left_out: Mapping[str, int]
    sides: list[Side]
    statistics: dict[str, list[SurfaceStatistics]] = field(default_factory=dict)
    counts: dict[str, list[Counts]] = field(default_factory=dict)
    offers: dict[str, list[Offer]] = field(default_factory=dict)
    shown: list[LabelledPicture] = field(default_factory=list)
    predictions: dict[str, list[Prediction]] = field(default_factory=dict)
    examples: dict[str, list[LabelledPicture]] = field(default_factory=dict)


def run_downstream(
    file: StudyFile[DownstreamStudy],
    task: Task,
    cache: Cache,
    progress: StudyProgress,
    real: Path | None = None,
    *,
    executor: Executor = HERE,
    threads: int = 1,
    device: str = "cpu",
) -> Outcome:
    """Do every step that is not in the cache yet, and gather the results.

    real: the folder of photographs, in the stead of the study's own. executor: where arms are trained, each on so many
    threads; as many datasets and models are made at a time, on this machine. That changes no byte. Raises StudyError,
    CacheError, RenderingError, and what reading datasets raises.
    """
    study = file.study
    settings = {name: _settings(file, task, arm, name) for name, arm in study.every_arm.items()}
    with locked(cache.folder):
        folder = photographs_of(file, real)
        held_out = () if folder else held_out_sets(file, study.real.rendered)
        sources = Sources(file, cache, progress)
        steps = len(held_out) + bool(study.real.pieces) + sources.steps(len(study.seeds))
        progress.begin(steps + len(study.seeds) * len(settings))
        if folder:
            samples = read_samples(folder, study.real.format)
        else:
            samples = [s for one in held_out for s in read_samples(rendered(cache, one, progress)[1], "blemish")]
        classes = classes_of(study, samples)
        every = [LabelledPicture(sample, classes, sample.weight) for sample in samples]
        if study.real.pieces is not None:
            samples = in_pieces(every, study.real.pieces, cache, progress)
            every = [LabelledPicture(sample, classes, sample.weight) for sample in samples]
        taken, left_out = _taken(task, every)
        pictures = thinned(taken, study.real.most_of_surface)
        if len(pictures) < len(taken):
            left_out[f"over {study.real.most_of_surface} of their surface"] = len(taken) - len(pictures)
        sides = [parted(pictures, study.real, seed) for seed in study.seeds]
        for side in sides:
            if trouble := trouble_with(side):
                refuse_damaged(sorted({sample.image_path.parent.parent for sample in samples}))  # which may be why
                raise file.error("real", trouble)
        first = next(iter(settings.values()))
        outcome = Outcome(file, task, first, classes, folder, device, pictures, left_out, sides)
        make_all(sources, {seed: side.train for seed, side in zip(study.seeds, sides, strict=True)}, executor)
        jobs = _jobs(outcome, sources, samples, settings, threads)
        _run_jobs(outcome, jobs, cache, executor, progress)
    return outcome


_Inputs = tuple[dict[str, Any], dict[str, Any]]


def _jobs(
    outcome: Outcome,
    sources: Sources,
    samples: Sequence[Sample],
    settings: Mapping[str, LearnerSettings],
    threads: int,
) -> list[tuple[Job, _Inputs]]:
    """A job for every seed and arm; what their datasets are is counted in the outcome."""
    study, content, jobs = outcome.file.study, Contents(), []
    for seed, side in zip(study.seeds, outcome.sides, strict=True):
        made: dict[str, list[LabelledPicture]] = {}
        related: dict[str, int] = {}
        for name in study.datasets:
            if not any(name in arm.add for arm in study.every_arm.values()):
                continue
            found = [LabelledPicture(s, outcome.classes, s.weight, True) for s in sources.read(name, side.train, seed)]
            accepted, left_out = _taken(outcome.task, found)
            made[name], related[name] = without_relatives(accepted, side, samples)
            if not made[name]:
                raise outcome.file.error(f"datasets.{name}", _nothing_left(len(found), related[name], left_out))
            left_out = {**left_out, RELATED: related[name]} if related[name] else left_out
            offer = Offer(len(found), left_out, sources.labels(name, side.train, seed))
            outcome.offers.setdefault(name, []).append(offer)
            outcome.examples.setdefault(name, spread(made[name], EXAMPLES))
        for name, arm in study.every_arm.items():
            training = training_set(arm, side.train, made, settings[name].synthetic_share, seed)
            job = Job(
                name, seed, outcome.task, training, side.validation, side.test, outcome.classes, settings[name],
                outcome.device, threads,
            )  # fmt: skip
            jobs.append((job, job.inputs(content)))
            synthetic = sum(picture.is_synthetic for picture in training.pictures)
            counts = Counts(len(training.pictures) - synthetic, synthetic, sum(related[other] for other in arm.add))
            outcome.counts.setdefault(name, []).append(counts)
    return jobs


def _run_jobs(
    outcome: Outcome, jobs: Sequence[tuple[Job, _Inputs]], cache: Cache, executor: Executor, progress: StudyProgress
) -> None:
    """Run those whose results are missing, and gather the results of all."""
    missing: dict[str, tuple[Job, _Inputs]] = {}
    names: dict[str, str] = {}
    for job, inputs in jobs:
        key = key_of(job.evaluations, inputs[1])
        names.setdefault(key, f"seed {job.seed}: {job.arm}")
        if not cache.is_done(job.evaluations, key):
            missing[key] = (job, inputs)
    for job, inputs in jobs:
        key = key_of(job.evaluations, inputs[1])
        if key not in missing:
            progress.step(f"seed {job.seed}: {job.arm}", False)
    if missing:
        waiting = list(missing)
        progress.step(names[waiting[0]], True)

        def done(key: str) -> None:
            waiting.remove(key)
            if waiting:
                progress.step(names[waiting[0]], True)

        run_all(missing, cache, executor, done, progress.advance)
    outcome.shown.extend(spread(outcome.sides[0].test, SHOWN))
    for job, inputs in jobs:
        outcome.statistics.setdefault(job.arm, []).append(statistics_of(cache, job, inputs))
        if job.arm not in outcome.predictions:
            model = cache.place(job.models, inputs[1]["model"])
            outcome.predictions[job.arm] = outcome.task.predict(
                model, outcome.shown, outcome.classes, job.settings, outcome.device
            )


def _taken(task: Task, pictures: Sequence[LabelledPicture]) -> tuple[list[LabelledPicture], dict[str, int]]:
    """Those that a task takes, and how many it does not, by the reason."""
    reasons = [task.refusal(picture) for picture in pictures]
    taken = [picture for picture, reason in zip(pictures, reasons, strict=True) if not reason]
    return taken, dict(sorted(Counter(filter(None, reasons)).items()))


def _settings(file: StudyFile[DownstreamStudy], task: Task, arm: ArmSettings, name: str) -> LearnerSettings:
    """The learner's settings in an arm. Raises StudyError, which says whether the study's or the arm's are wrong."""
    checked(file.study.learner, task.settings, file.path, "learner.")
    return checked({**file.study.learner, **arm.learner}, task.settings, file.path, f"arms.{name}.learner.")


def _nothing_left(read: int, related: int, left_out: Mapping[str, int]) -> str:
    if related:
        return (
            f"found {related} pictures, all made of surfaces that are not trained on; expected some made of others: "
            "use {train} or {good} in its command"
        )
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
    return f"found {read} pictures, none of which the task takes ({reasons}); expected some with its classes"
