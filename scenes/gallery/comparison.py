"""Frames beside real pictures: how far the figures of their finish lie apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scenes.formats.errors import SampleError
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD
from scenes.gallery import thumbnails
from scenes.gallery.finish_statistics import SAID, finish_statistics
from scenes.gallery.survey import Survey
from scenes.jobs.progress import Progress
from scenes.pictures.reading import SUFFIXES, ReadingOptions, is_hidden, read_rgb, with_white_level

MOST = 60  # pictures of either side that are measured, evenly from the first to the last
SHOWN = 12  # of either side that are shown
FEWEST_GOOD = 20  # frames without defects, from which on those with defects are left out

RGB = NDArray[np.uint8]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Figure:
    """One figure of pictures of both sides: what it says, its values, and how far these lie apart.

    distance: Kolmogorov and Smirnov's, 0 where both are distributed alike, 1 where one lies wholly above the other.
    """

    name: str
    said: str
    frames: tuple[float, ...]
    real: tuple[float, ...]
    distance: float


@dataclass(frozen=True)
class FeatureDistance:
    """How far the features of frames and real pictures lie apart, and those of two halves of the real ones.

    features: in words. deviation: of `distance`, over draws.
    """

    features: str
    distance: float
    deviation: float
    floor: float


@dataclass(frozen=True)
class Comparison:
    """Frames of a dataset and real pictures, measured.

    folder: of the real pictures, by its name. frames, real: how many of either were measured. shown_frames,
    shown_real: small pictures in base64. features: where they were computed.
    """

    folder: str
    frames: int
    real: int
    figures: tuple[Figure, ...]
    shown_frames: tuple[str, ...]
    shown_real: tuple[str, ...]
    features: FeatureDistance | None = None


def real_pictures(folder: Path) -> tuple[list[Path], ReadingOptions]:
    """The real pictures of a folder: the good ones where its format says which these are, else all that lie below it.

    And how they are read. Raises SampleError where there are fewer than two.
    """
    if not folder.is_dir():
        raise SampleError(f"{folder}: is no folder; give --real a folder of photographs")
    try:
        samples = read_samples(folder)
        chosen = [sample for sample in samples if sample.label == GOOD] or samples
        paths, options = [sample.image_path for sample in chosen], chosen[0].options
    except SampleError:
        paths, options = plain_pictures(folder)
    if len(paths) < 2:
        raise SampleError(f"{folder}: found {len(paths)} pictures; give --real a folder of two photographs or more")
    return spread(paths, MOST), options


def plain_pictures(folder: Path) -> tuple[list[Path], ReadingOptions]:
    """All pictures below a folder of no format, but for hidden ones, by name; and how they are read."""
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not any(map(is_hidden, (path, *path.relative_to(folder).parents)))
    )
    return paths, with_white_level(paths, ReadingOptions(), str(folder)) if paths else ReadingOptions()


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of the items, evenly from the first to the last."""
    return [items[int(k)] for k in np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round())]


def good_positions(survey: Survey) -> list[int]:
    """Which frames are compared: those without defects, or all where these are few."""
    is_defect = np.array([family == "defect" for family in survey.dataset.families.values()], dtype=np.bool_)
    flawed = set(survey.frame[is_defect[survey.class_number]].tolist())
    every = range(len(survey.dataset))
    good = [position for position in every if position not in flawed]
    return spread(good if len(good) >= FEWEST_GOOD else list(every), MOST)


def compared(survey: Survey, folder: Path, progress: Progress) -> Comparison:
    """Measure frames and the real pictures of a folder. Raises SampleError, PictureError, DatasetError."""
    paths, options = real_pictures(folder)
    positions = good_positions(survey)
    total = len(paths) + len(positions)

    def pictures() -> Iterator[NDArray[np.uint8] | NDArray[np.uint16]]:
        yield from (survey.dataset[position].image for position in positions)
        yield from (read_rgb(path, options) for path in paths)

    rows, shown = [], []
    wanted = {*spread(range(len(positions)), SHOWN), *spread(range(len(positions), total), SHOWN)}
    for number, image in enumerate(pictures()):
        rows.append(asdict(finish_statistics(thumbnails.grey_of(image))))
        if number in wanted:
            shown.append((number, thumbnails.picture(image)))
        progress("comparing with real pictures", number + 1, total)
    ours, theirs = rows[: len(positions)], rows[len(positions) :]
    return Comparison(
        folder=folder.resolve().name,
        frames=len(ours),
        real=len(theirs),
        figures=tuple(_figure(name, [row[name] for row in ours], [row[name] for row in theirs]) for name in SAID),
        shown_frames=tuple(picture for number, picture in shown if number < len(positions)),
        shown_real=tuple(picture for number, picture in shown if number >= len(positions)),
    )


def _figure(name: str, frames: Sequence[float], real: Sequence[float]) -> Figure:
    from scipy.stats import ks_2samp

    distance = float(ks_2samp(frames, real, method="asymp").statistic)
    return Figure(name, SAID[name], tuple(frames), tuple(real), distance)
