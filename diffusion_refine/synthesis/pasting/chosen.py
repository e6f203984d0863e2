"""Which pictures of people's folders are worked on: photographs by their files, or samples of a labelled set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from procgen.errors import BlemishError
from scenes.formats.registry import AUTO, read_samples
from scenes.formats.sample import GOOD, Sample
from scenes.formats.surfaces import content_group
from scenes.pictures.reading import ReadingOptions, with_white_level

TRAIN = "train"  # what sets with a split of their own call the pictures that may be learnt from


def chosen_surfaces(
    inputs: Sequence[Path], only: Path | None, options: ReadingOptions, format: str = AUTO
) -> list[Sample]:
    """The pictures to paste on: photographs, all of them; of a folder those that a list names.

    Without a list the good pictures of a folder's train split, of all of it where it has none; where none is good, the
    flawed ones. Raises BlemishError for folders among files and for a list beside them.
    """
    if len(inputs) == 1 and inputs[0].is_dir():
        samples = read_samples(inputs[0], format, options=options)
        return named(samples, only) if only else preferred(samples, lambda sample: sample.label == GOOD)
    if only:
        raise BlemishError(
            f"--only {only}: names pictures of a folder; leave it out where pictures are named themselves"
        )
    reading = with_white_level(inputs, options, "the photographs")
    return [Sample(path.name, content_group(path), GOOD, path, options=reading) for path in inputs]


def photographs_of(inputs: Sequence[Path], options: ReadingOptions) -> tuple[Path, ...]:
    """Files of good pictures: those that are named, or the good ones of one folder, of its train split if it has one.

    Raises BlemishError where the folder holds none: what is drawn leaves no place for what a picture shows already.
    """
    if len(inputs) != 1 or not inputs[0].is_dir():
        return tuple(inputs)
    good = [sample for sample in read_samples(inputs[0], AUTO, options=options) if sample.label == GOOD]
    if not good:
        raise BlemishError(f"{inputs[0]}: holds no good picture to draw on; name a folder that does, or the pictures")
    return tuple(sample.image_path for sample in preferred(good, lambda sample: True))


def chosen_flawed(folder: Path, only: Path | None, options: ReadingOptions, format: str = AUTO) -> list[Sample]:
    """The flawed pictures of a labelled set: those that a list names, else of its train split, else all of it.

    Raises BlemishError where there is none.
    """
    samples = read_samples(folder, format, options=options)
    flawed = [sample for sample in (named(samples, only) if only else samples) if sample.label != GOOD]
    if not flawed:
        where = f"{only}: names" if only else f"{folder}: holds"
        raise BlemishError(f"{where} no picture with a labelled defect to take; name a set of flawed pictures")
    return flawed if only else preferred(flawed, lambda sample: True)


def preferred(samples: Sequence[Sample], wanted: Callable[[Sample], bool]) -> list[Sample]:
    """The samples to learn from: the wanted ones of the train split, else the wanted ones, else all."""
    train = [sample for sample in samples if sample.split == TRAIN and wanted(sample)]
    return train or [sample for sample in samples if wanted(sample)] or list(samples)


def named(samples: Sequence[Sample], only: Path) -> list[Sample]:
    """The samples that the lines of a file name, in their own order. Raises BlemishError for a name of no sample."""
    try:
        names = [line.strip() for line in only.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BlemishError(
            f"{only}: cannot be read as text ({error}); give a file with a sample's name a line"
        ) from None
    known = {sample.name for sample in samples}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BlemishError(
            f"{only}: names {unknown[0]}, which is no sample of the set; expected names such as {samples[0].name}, one "
            "a line: pictures without their suffix, or numbers of frames"
        )
    if not names:
        raise BlemishError(f"{only}: is empty; expected a sample's name a line")
    wanted = set(names)
    return [sample for sample in samples if sample.name in wanted]


def digest_of(samples: Sequence[Sample]) -> dict[str, str | int]:
    """Which pictures they are, in two values: their number, and SHA-256 over their names and surfaces, in order."""
    lines = "".join(f"{sample.name}\t{sample.group}\n" for sample in samples)
    return {"pictures": len(samples), "sha256": hashlib.sha256(lines.encode()).hexdigest()}
