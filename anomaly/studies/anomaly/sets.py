"""The pictures of a study: those that every inspector is evaluated on, and those that each is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anomaly.studies.anomaly.settings import RealSettings, Study
from anomaly.studies.engine.study_file import StudyFile
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group
from scenes.pictures.options import reading


@dataclass(frozen=True)
class RealSide:
    """The parts of the real set; no surface is in two of them."""

    train: list[Sample]
    validation: list[Sample]
    test: list[Sample]


def read_photographs(file: StudyFile[Study], folder: Path | None) -> list[Sample]:
    """The study's own set of photographs, or the one in `folder`. Raises StudyError, SampleError."""
    real = file.study.real
    assert real.dataset is not None
    place = file.beside(real.dataset) if folder is None else folder
    if not place.is_dir():
        raise file.error(
            "real.dataset", f"found no folder {place}; expected photographs there, or name them with --real"
        )
    return read_samples(place, real.format, options=reading(real.white_level, real.most_pixels))


def read_renders(folders: Sequence[Path]) -> list[Sample]:
    """The samples of rendered datasets, one after the other."""
    return [sample for folder in folders for sample in read_samples(folder, "blemish")]


def read_held_out(folders: Sequence[Path]) -> list[Sample]:
    """Renders that stand for photographs: of the first folder clean ones to train on, of the others the test part."""
    clean, *others = folders
    return [*(replace(sample, split="train") for sample in read_renders([clean])), *read_renders(others)]


def split_real(samples: Sequence[Sample], real: RealSettings, seed: int) -> RealSide:
    """Part the real set by surfaces, anew for every seed.

    Surfaces without any defect are shared out among the three parts, the others among validation and test. Where the
    source names its own training pictures, the good ones of them are trained on, and the others are shared out.
    """
    own = [s for s in samples if s.split == "train" and s.label == GOOD]
    rest = [s for s in samples if s.split != "train"] if own else list(samples)
    flawed_groups = {s.group for s in rest if s.label != GOOD}
    good = [s for s in rest if s.group not in flawed_groups]
    flawed = [s for s in rest if s.group in flawed_groups]
    if own:
        train, others = own, good
    else:
        train, others = split_by_group(good, (real.train, 1 - real.train), seed)
    parts = [split_by_group(part, (real.validation, 1 - real.validation), seed) for part in (others, flawed)]
    validation, test = ([*parts[0][k], *parts[1][k]] for k in (0, 1))
    return RealSide(train, validation, test)


def trouble_with(side: RealSide) -> str:
    """What makes a split useless, in words, or ""."""
    for name, part, wanted in (
        ("to train on", side.train, "a good surface"),
        ("for the threshold", [s for s in side.validation if s.label != GOOD], "a defective surface"),
        ("to evaluate", [s for s in side.test if s.label != GOOD], "a defective surface"),
        ("to evaluate", [s for s in side.test if s.label == GOOD], "a good surface"),
    ):
        if not part:
            return f"found too few surfaces to leave one {name}; expected at least {wanted} more, or other shares"
    return ""
