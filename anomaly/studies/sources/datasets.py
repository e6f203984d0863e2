"""The datasets of a study's arms: folders that are there, renders, and what a command makes of the real side."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.studies.engine.cache import DATASETS, GENERATORS, RENDERS, Cache, content_of, key_of
from anomaly.studies.engine.labelled import LabelledPicture
from anomaly.studies.engine.progress import StudyProgress
from anomaly.studies.engine.study import (
    GOOD_PICTURES,
    OUT,
    SEED,
    TRAIN,
    DownstreamStudy,
    RenderSettings,
    named_in,
)
from anomaly.studies.engine.study_file import StudyFile
from anomaly.studies.sources.parts import write_part
from anomaly.studies.sources.renders import RenderedSet, is_rendered, make_dataset, recipe_with, render, train_model
from scenes.datasets.reader import Dataset
from scenes.datasets.relabelling import OUTCOMES, label_counts
from scenes.datasets.schema import HEADER, committed, read_header
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD, Sample

MADE, MODEL = "dataset", "model"
TRAIN_SIDE = "train"  # of a step's inputs: the real pictures to train on


@dataclass
class Sources:
    """Makes the datasets of a study in its cache, each once."""

    file: StudyFile[DownstreamStudy]
    cache: Cache
    progress: StudyProgress
    _made: dict[tuple[str, int | None], tuple[str, Path]] = field(default_factory=dict)
    _at_work: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def steps(self, seeds: int) -> int:
        """How many steps there are to make all that the arms add, and to train what it is drawn with."""
        datasets = self.file.study.datasets
        there = {name for name, source in datasets.items() if source.dataset is not None}
        return sum(seeds if self.depends_on_split(name) else name not in there for name in self.needed())

    def read(self, name: str, train: Sequence[LabelledPicture], seed: int) -> list[Sample]:
        """The samples of a dataset, made where it is not yet, for the real pictures to train on of a seed.

        Raises StudyError, RenderingError, SampleError, DatasetError.
        """
        source = self.file.study.datasets[name]
        if source.dataset is not None:
            folder = self.file.beside(source.dataset)
            if not folder.is_dir():
                raise self.file.error(f"datasets.{name}.dataset", f"found no folder {folder}; expected a dataset there")
            return read_samples(folder, source.format)
        return read_samples(self._folder(name, train, seed)[1], "blemish")

    def labels(self, name: str, train: Sequence[LabelledPicture], seed: int) -> dict[str, dict[str, int]]:
        """Of a dataset whose masks were found again after an edit: class -> outcome -> masks; of others nothing."""
        folder = self._folder(name, train, seed)[1]
        counts = label_counts(Dataset(folder)) if (folder / HEADER).is_file() else {}
        return {kind: {outcome: found[outcome] for outcome in OUTCOMES} for kind, found in counts.items()}

    def make(self, name: str, train: Sequence[LabelledPicture], seed: int) -> None:
        """A dataset or model, for the real pictures to train on of a seed. Raises what `read` does."""
        self._folder(name, train, seed)

    def made_of(self, name: str) -> list[str]:
        """The other datasets and models whose names stand in its commands."""
        known = {*self.file.study.datasets, *self.file.study.models}
        return list(dict.fromkeys(other for word in self._words_of(name) if (other := named_in(word)) in known))

    def needed(self) -> list[str]:
        """Datasets that an arm adds, and all that these are made of; models first, in the file's order."""
        study = self.file.study
        needed = {name for arm in study.arms.values() for name in arm.add}
        for name in reversed(study.datasets):  # each is made of earlier ones
            if name in needed:
                needed |= set(self.made_of(name))
        return [name for name in [*study.models, *study.datasets] if name in needed]

    def depends_on_split(self, name: str) -> bool:
        """Whether a dataset or model is another for every seed: made of the real side, the seed, or such a one."""
        words = self._words_of(name)
        return any(word in (TRAIN, GOOD_PICTURES, SEED) for word in words) or any(
            self.depends_on_split(other) for other in self.made_of(name)
        )

    def _words_of(self, name: str) -> list[str]:
        study = self.file.study
        if name in study.models:
            return [word for command in study.models[name].commands for word in command]
        return list(study.datasets[name].command or ())

    def _folder(self, name: str, train: Sequence[LabelledPicture], seed: int) -> tuple[str, Path]:
        """The key of a dataset or model, and its folder."""
        which = (name, seed if self.depends_on_split(name) else None)
        if which not in self._made and name in self.file.study.models:
            self._made[which] = self._trained(name, train, seed)
        elif which not in self._made:
            source = self.file.study.datasets[name]
            if source.dataset is not None:
                samples = self.read(name, train, seed)
                self._made[which] = content_of(samples), self.file.beside(source.dataset)
            elif source.rendered is not None:
                self._made[which] = self._rendered(name, source.rendered)
            else:
                self._made[which] = self._commanded(name, source.command or (), train, seed)
        return self._made[which]

    def _rendered(self, name: str, wanted: RenderSettings) -> tuple[str, Path]:
        where = f"datasets.{name}.rendered"
        recipe = recipe_with(self.file, wanted.recipe, f"{where}.recipe", wanted.changes, f"{where}.changes")
        one = RenderedSet(name, recipe, wanted.frames, wanted.seed, wanted.samples)
        with self._at_work[key_of(RENDERS, one.depends_on)]:
            return rendered(self.cache, one, self.progress)

    def _commanded(
        self, name: str, command: Sequence[str], train: Sequence[LabelledPicture], seed: int
    ) -> tuple[str, Path]:
        """What a command makes; its key is of its words, of what stands for those in braces, and of the version."""
        others = {other: self._folder(other, train, seed) for other in self.made_of(name)}
        inputs: dict[str, Any] = {"command": list(command), "of": {other: key for other, (key, _) in others.items()}}
        inputs |= _real_side(command, train, seed)
        most = self.file.study.datasets[name].good
        if most is not None:
            inputs["good"] = most
        key = key_of(DATASETS, inputs)
        self.progress.step(f"{self._whose(name, seed)}making {name}", not self.cache.is_done(DATASETS, key))

        def make(out: Path) -> None:
            if TRAIN_SIDE in inputs:
                write_part(train, out / TRAIN.strip("{}"))
            words = list(self._words(command, f"datasets.{name}.command", out, MADE, others, seed, most))
            make_dataset(words, out / MADE, name, lambda: self.progress.advance(name, *_frames(out / MADE)))

        with self._at_work[key]:  # another of the same content waits, and finds it there
            return key, self.cache.step(DATASETS, key, inputs, make) / MADE

    def _trained(self, name: str, train: Sequence[LabelledPicture], seed: int) -> tuple[str, Path]:
        """A model that commands train, one after the other; each takes up its own training where it was stopped."""
        commands = self.file.study.models[name].commands
        inputs: dict[str, Any] = {"commands": [list(command) for command in commands]}
        inputs |= _real_side([word for command in commands for word in command], train, seed)
        key = key_of(GENERATORS, inputs)
        self.progress.step(f"{self._whose(name, seed)}training {name}", not self.cache.is_done(GENERATORS, key))

        def make(out: Path) -> None:
            if TRAIN_SIDE in inputs:
                write_part(train, out / TRAIN.strip("{}"))
            for done, command in enumerate(commands):
                words = list(self._words(command, f"models.{name}.commands", out, MODEL, {}, seed))
                train_model(words, name, partial(self.progress.advance, name, done, len(commands)))

        with self._at_work[key]:
            return key, self.cache.step(GENERATORS, key, inputs, make) / MODEL

    def _whose(self, name: str, seed: int) -> str:
        return f"seed {seed}: " if self.depends_on_split(name) else ""

    def _words(
        self,
        command: Sequence[str],
        field_name: str,
        out: Path,
        made: str,
        others: Mapping[str, tuple[str, Path]],
        seed: int,
        most: int | None = None,
    ) -> Iterator[str]:
        """A command's words with what stands for those in braces.

        made: the folder in `out` that it makes. most: of the good pictures, spread evenly.
        """
        part = out / TRAIN.strip("{}")
        for word in command:
            if word == GOOD_PICTURES:
                good = [str(sample.image_path) for sample in read_samples(part) if sample.label == GOOD]
                if not good:
                    raise self.file.error(field_name, f"found {GOOD_PICTURES}, but no real picture to train on is good")
                chosen = min(len(good), most or len(good))
                yield from (good[k] for k in np.linspace(0, len(good) - 1, chosen).round().astype(int))
            elif named_in(word) in others:
                yield str(others[named_in(word)][1])
            else:
                yield {OUT: str(out / made), TRAIN: str(part), SEED: str(seed)}.get(word, word)


def _real_side(words: Sequence[str], train: Sequence[LabelledPicture], seed: int) -> dict[str, Any]:
    """What commands with these words depend on, of a seed's real pictures to train on and of the seed itself."""
    found: dict[str, Any] = {}
    if any(word in (TRAIN, GOOD_PICTURES) for word in words):
        found[TRAIN_SIDE] = content_of([picture.sample for picture in train])
    return {**found, "seed": seed} if SEED in words else found


def rendered(cache: Cache, wanted: RenderedSet, progress: StudyProgress) -> tuple[str, Path]:
    """The key and the folder of a set of renders, made where it is not in the cache yet."""
    key = key_of(RENDERS, wanted.depends_on)
    folder = cache.place(RENDERS, key)
    is_new = not is_rendered(folder)
    progress.step(f"rendering: {wanted.name}", is_new)
    if is_new:
        render(wanted, folder, lambda done, total: progress.advance("rendering", done, total))
    return key, folder


def _frames(folder: Path) -> tuple[int, int]:
    """How many frames of a dataset are there, and how many there will be."""
    if not (folder / HEADER).is_file():
        return 0, 1
    frames = read_header(folder).frames
    return len(committed(folder, frames)), frames
