"""The real side of a downstream study: found, labelled in the study's classes, and parted by surfaces."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anomaly.studies.engine.labelled import Classes, LabelledPicture
from anomaly.studies.engine.study import DownstreamStudy, RealSettings
from anomaly.studies.engine.study_file import StudyFile
from scenes.formats.sample import GOOD, UNLABELLED, Sample
from scenes.formats.splitting import split_by_group

DATA_VARIABLE, DATA = "BLEMISH_DATA", Path("../shared/data")  # where sets of photographs lie side by side


@dataclass(frozen=True)
class Side:
    """The parts of the real set for one seed; no surface is in two of them."""

    train: tuple[LabelledPicture, ...]
    validation: tuple[LabelledPicture, ...]
    test: tuple[LabelledPicture, ...]


def photographs_of(file: StudyFile[DownstreamStudy], named: Path | None) -> Path | None:
    """The folder of the study's photographs: the one named, that of its file, or one of its name among the data sets.

    None where there is none and renders stand for them. Raises StudyError where there are neither.
    """
    real = file.study.real
    if named is not None:
        if not named.is_dir():
            raise file.error("real.dataset", f"found no folder {named}; expected photographs there")
        return named
    if real.dataset is None:
        return None
    data = Path(os.environ.get(DATA_VARIABLE, DATA))
    for place in (file.beside(real.dataset), Path(real.dataset), data / Path(real.dataset).name):
        if place.is_dir():
            return place
    if real.rendered is None:
        raise file.error(
            "real.dataset",
            f"found no folder {real.dataset}, neither beside the file nor in {data}; expected photographs: name them "
            f"with --real, or their parent with {DATA_VARIABLE}",
        )
    return None


def classes_of(study: DownstreamStudy, samples: Sequence[Sample]) -> Classes:
    """The study's classes; where its file names none, those of the samples, sorted."""
    if study.classes:
        meanings = {meant: name for name, others in study.classes.items() for meant in others}
        return Classes(tuple(study.classes), meanings)
    words = {word for sample in samples if sample.label not in (GOOD, UNLABELLED) for word in sample.label.split("+")}
    return Classes(tuple(sorted(words)))


def parted(pictures: Sequence[LabelledPicture], real: RealSettings, seed: int) -> Side:
    """The parts for one seed: each gets its share of the surfaces of every class, as well as their number allows.

    A surface counts for the rarest class that it shows, which matters where a class is on few surfaces.
    """
    shown: dict[str, set[int]] = {}
    for picture in pictures:
        shown.setdefault(picture.surface, set()).update(picture.labels or {0})
    surfaces_of_class = Counter(number for numbers in shown.values() for number in numbers)
    kind = {name: min(numbers, key=lambda k: (surfaces_of_class[k], k)) for name, numbers in shown.items()}
    by_sample = {id(picture.sample): picture for picture in pictures}
    parts: list[list[LabelledPicture]] = [[], [], []]
    for number in sorted(surfaces_of_class):
        members = [picture.sample for picture in pictures if kind[picture.surface] == number]
        split = split_by_group(members, (real.train, real.validation, real.test), seed)
        for part, found in zip(parts, split, strict=True):
            part += [by_sample[id(sample)] for sample in found]
    place = {id(picture): index for index, picture in enumerate(pictures)}
    train, validation, test = (tuple(sorted(part, key=lambda picture: place[id(picture)])) for part in parts)
    if real.most_to_train is not None:
        train = tuple(_of_every_kind(train, real.most_to_train))
    return Side(train, validation, test)


def thinned(pictures: Sequence[LabelledPicture], most: int | None) -> list[LabelledPicture]:
    """At most so many pictures of each surface, in their order: as many of each kind, spread evenly within it."""
    if most is None:
        return list(pictures)
    by_surface: dict[str, list[LabelledPicture]] = {}
    for picture in pictures:
        by_surface.setdefault(picture.surface, []).append(picture)
    kept = {id(picture) for members in by_surface.values() for picture in _of_every_kind(members, most)}
    return [picture for picture in pictures if id(picture) in kept]


def _of_every_kind(pictures: Sequence[LabelledPicture], most: int) -> list[LabelledPicture]:
    """At most so many, in their order: as many of each kind, spread evenly within it."""
    kinds: dict[frozenset[int], list[LabelledPicture]] = {}
    for picture in pictures:
        kinds.setdefault(picture.labels, []).append(picture)
    each = max(1, most // max(1, len(kinds)))
    kept: set[int] = set()
    for members in list(kinds.values())[:most]:
        places = np.linspace(0, len(members) - 1, min(each, len(members))).round().astype(int)
        kept |= {id(members[place]) for place in places}
    return [picture for picture in pictures if id(picture) in kept]


def spread(pictures: Sequence[LabelledPicture], count: int) -> list[LabelledPicture]:
    """At most `count` pictures, taken in turn from every class, spread evenly within it."""
    from anomaly.reporting.report import varied

    chosen = varied([picture.sample for picture in pictures], count)
    by_sample = {id(picture.sample): picture for picture in pictures}
    return [by_sample[id(sample)] for sample in chosen]


def trouble_with(side: Side) -> str:
    """What makes a split useless, in words, or ""."""
    for name, part in (("to train on", side.train), ("to judge", side.test)):
        if not any(picture.labels for picture in part):
            return f"found too few surfaces to leave one {name}; expected a defective surface more, or other shares"
    return ""
