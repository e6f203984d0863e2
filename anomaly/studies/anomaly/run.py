"""Running a study: renders, then for every seed the split, the banks and evaluations; each step by its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from anomaly.inspection.augmentation import Augmentation
from anomaly.inspection.train import training_part
from anomaly.reporting.report import varied
from anomaly.studies.anomaly import banks
from anomaly.studies.anomaly.evaluation import FeatureCache, ScenarioEvaluation, evaluate_bank
from anomaly.studies.anomaly.scenarios import SCENARIOS, Scenario, with_parents
from anomaly.studies.anomaly.sets import (
    RealSide,
    read_held_out,
    read_photographs,
    read_renders,
    split_real,
    trouble_with,
)
from anomaly.studies.anomaly.settings import Study
from anomaly.studies.anomaly.steps import BANKS, EVALUATIONS
from anomaly.studies.anomaly.twins import AS_BUILT, training_sets
from anomaly.studies.engine.cache import RENDERS, Cache, content_of, key_of
from anomaly.studies.engine.progress import StudyProgress, Untold
from anomaly.studies.engine.study_file import StudyFile
from anomaly.studies.sources.renders import RenderedSet, held_out_sets, is_rendered, render
from scenes.datasets.lock import locked
from scenes.datasets.verify import refuse_damaged
from scenes.formats.sample import GOOD, Sample
from scenes.jobs.executor import Executor, Place, Simple, Worker
from scenes.jobs.local import Local

HERE = Local()
SHOWN = 8  # pictures whose heat maps are kept, of every scenario


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that a report is made of; evaluations: by scenario, one for every seed of the study."""

    file: StudyFile[Study]
    backbone: str
    weights: str
    pretrained: bool
    real: list[Sample]
    sides: list[RealSide]
    shown: list[Sample]
    rendered: dict[str, list[Sample]]
    evaluations: dict[str, list[ScenarioEvaluation]] = field(default_factory=dict)


def run_study(
    file: StudyFile[Study],
    cache: Cache,
    progress: StudyProgress,
    real: Path | None = None,
    executor: Executor = HERE,
) -> Outcome:
    """Do every step that is not in the cache yet, and gather the results.

    real: the folder of photographs, in the stead of the study's own. executor: where seeds are worked at. Raises
    StudyError, CacheError, RenderingError, DatasetError where another study is at work in the cache, and what reading
    datasets raises.
    """
    study = file.study
    names = with_parents(study.chosen)
    with locked(cache.folder):
        wanted = _needed(file, [SCENARIOS[name] for name in names])
        held_out = held_out_sets(file, study.real.rendered)
        steps = len(wanted) + len(held_out) + len(study.seeds) * (len(names) + len(study.chosen))
        if held_out and real is not None:
            raise file.error("real.rendered", "found renders and --real; expected one of them")
        photographs = None if held_out else read_photographs(file, real)  # found missing before hours of rendering
        progress.begin(steps)
        samples = photographs or read_held_out([_rendered(cache, one, progress) for one in held_out])
        sides = [split_real(samples, study.real, seed) for seed in study.seeds]
        for side in sides:
            if trouble := trouble_with(side):
                refuse_damaged(sorted({sample.image_path.parent.parent for sample in samples}))  # which may be why
                raise file.error("real", trouble)
        folders = {key: _rendered(cache, one, progress) for key, one in wanted.items()}
        rendered = {key: training_part(read_renders([folder])) for key, folder in folders.items()}
        shown = varied(sides[0].test, SHOWN)
        outcome: Outcome | None = None

        def gather(number: int, _: None = None) -> None:
            """Do what of a seed is not in the cache, and take the rest from there."""
            nonlocal outcome
            run = seeds.run_of(number, cache, progress)
            if outcome is None:
                extractor = run.extractor
                named = {wanted[key].name: part for key, part in rendered.items()}
                outcome = Outcome(
                    file,
                    extractor.backbone,
                    extractor.weights,
                    extractor.pretrained,
                    samples,
                    sides,
                    shown,
                    named,
                )
            for name, evaluation in seeds.evaluations(number, run).items():
                outcome.evaluations.setdefault(name, []).append(evaluation)

        seeds = _Seeds(file, cache.folder.resolve(), sides, rendered, samples, names, shown, torch.get_num_threads())
        if executor.is_here:
            for number in range(len(study.seeds)):
                gather(number)
        else:
            executor.run(seeds, range(len(study.seeds)), gather, in_order=True)
    assert outcome is not None
    return outcome


def _needed(file: StudyFile[Study], scenarios: Sequence[Scenario]) -> dict[tuple[bool, str], RenderedSet]:
    """The sets of renders that any of the scenarios is trained on."""
    synthetic = [s for s in scenarios if s.kind == "synthetic"]
    return {
        (stained, light): wanted
        for (stained, light), wanted in (training_sets(file) if synthetic else {}).items()
        if any(s.stained == stained and (light == AS_BUILT or s.randomised) for s in synthetic)
    }


def _rendered(cache: Cache, wanted: RenderedSet, progress: StudyProgress) -> Path:
    folder = cache.place(RENDERS, key_of(RENDERS, wanted.depends_on))
    is_new = not is_rendered(folder)
    progress.step(f"rendering: {wanted.name}", is_new)
    if is_new:
        render(wanted, folder, lambda done, total: progress.advance("rendering", done, total))
    return folder


@dataclass(frozen=True, eq=False)
class _Seeds:
    """The seeds of a study, as work: what comes of each lies in the cache."""

    file: StudyFile[Study]
    folder: Path
    sides: list[RealSide]
    rendered: dict[tuple[bool, str], list[Sample]]
    real: list[Sample]
    names: Sequence[str]
    shown: list[Sample]
    threads: int

    has_own_process = False

    def open(self, place: Place) -> Worker[int, None]:
        torch.set_num_threads(self.threads)
        return Simple(self._work_at)

    def run_of(self, number: int, cache: Cache, progress: StudyProgress) -> _SeedRun:
        seed = self.file.study.seeds[number]
        return _SeedRun(self.file, cache, progress, seed, self.sides[number], self.rendered, self.real)

    def evaluations(self, number: int, run: _SeedRun) -> dict[str, ScenarioEvaluation]:
        """By scenario; banks and evaluations that are not in the cache are made."""
        for name in self.names:
            run.make_bank(SCENARIOS[name])
        shown = self.shown if number == 0 else []
        return {name: run.evaluation(SCENARIOS[name], shown) for name in self.file.study.chosen}

    def _work_at(self, number: int) -> None:
        self.evaluations(number, self.run_of(number, Cache(self.folder), Untold()))


class _SeedRun:
    """Where the banks of one seed are made and evaluated."""

    def __init__(
        self,
        file: StudyFile[Study],
        cache: Cache,
        progress: StudyProgress,
        seed: int,
        side: RealSide,
        rendered: dict[tuple[bool, str], list[Sample]],
        real: Sequence[Sample],
    ) -> None:
        self._file, self._cache, self._progress = file, cache, progress
        self._side, self._rendered = side, rendered
        self._seed = seed
        inspector = file.study.inspector
        self.settings = banks.BankSettings(
            size=inspector.bank,
            epochs=inspector.epochs,
            seed=seed,
            scale=banks.scale_for(real, inspector.image_size),
            backbone=inspector.backbone,
            pretrained=inspector.pretrained,
            weights=None if inspector.weights is None else file.beside(inspector.weights),
        )
        self.extractor = self.settings.extractor
        self._depends_on = banks.depends_on(self.settings, self.extractor)
        self._feature_cache = FeatureCache(self.extractor)
        self._contents: dict[str, str] = {}
        self._keys: dict[str, str] = {}

    def make_bank(self, scenario: Scenario) -> Path:
        """The folder of a scenario's inspector; its parents' come first."""
        samples = self._training_set(scenario)
        augmentation = Augmentation() if scenario.augmented and not scenario.fine_tuned else None
        inputs: dict[str, Any] = {
            "settings": self._depends_on,
            "pictures": self._content(scenario.name, samples),
            "augmentation": None if augmentation is None else vars(augmentation),
            "parents": [self._keys[name] for name in scenario.parents],
            "size": scenario.size,
        }
        key = self._keys[scenario.name] = key_of(BANKS, inputs)
        self._progress.step(f"seed {self._seed}: bank of {scenario.name}", not self._cache.is_done(BANKS, key))
        parents = [self._cache.place(BANKS, self._keys[name]) for name in scenario.parents]

        def make(out: Path) -> None:
            if scenario.kind == "melding":
                banks.meld(parents, max(2, round(scenario.size * self.settings.size)), out)
                return
            banks.train(
                self.settings,
                samples,
                out,
                augmentation=augmentation,
                start=parents[0] if parents else None,
                name=scenario.name,
                extractor=self.extractor,
                progress=self._progress.advance,
            )

        return self._cache.step(BANKS, key, inputs, make)

    def evaluation(self, scenario: Scenario, shown: Sequence[Sample]) -> ScenarioEvaluation:
        """How a scenario's inspector does."""
        side = self._side
        inputs = {
            "bank": self._keys[scenario.name],
            "validation": self._content("validation", side.validation),
            "test": self._content("test", side.test),
            "shown": [sample.name for sample in shown],
        }
        key = key_of(EVALUATIONS, inputs)
        self._progress.step(f"seed {self._seed}: evaluating {scenario.name}", not self._cache.is_done(EVALUATIONS, key))
        bank = self._cache.place(BANKS, self._keys[scenario.name])
        folder = self._cache.step(
            EVALUATIONS,
            key,
            inputs,
            lambda out: evaluate_bank(
                bank, side.validation, side.test, shown, out, self._feature_cache, self._progress.advance
            ),
        )
        return ScenarioEvaluation.load(folder)

    def _training_set(self, scenario: Scenario) -> list[Sample]:
        """The good pictures that a scenario's bank is filled with; fine-tuning fills on with the real ones."""
        if scenario.kind == "melding":
            return []
        if scenario.kind == "real" or scenario.fine_tuned:
            return [sample for sample in self._side.train if sample.label == GOOD]
        lights = [AS_BUILT, *(self._file.study.synthetic.lights if scenario.randomised else ())]
        return [sample for light in lights for sample in self._rendered[scenario.stained, light]]

    def _content(self, name: str, samples: Sequence[Sample]) -> str:
        if name not in self._contents:
            self._contents[name] = content_of(samples)
        return self._contents[name]
