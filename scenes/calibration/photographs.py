"""The photographs that a recipe is fitted to: read, checked, measured, parted into those to fit to and to judge by."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishNote
from scenes.calibration.parameters import CalibrationError
from scenes.calibration.picture_statistics import is_colour, picture_statistics
from scenes.files import content_of
from scenes.formats.errors import SampleError
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group
from scenes.gallery.comparison import plain_pictures, spread
from scenes.gallery.finish_statistics import LONGEST
from scenes.jobs.progress import Progress
from scenes.pictures.reading import LEAST_SIDE
from scenes.recipes.recipe import Recipe

Floats = NDArray[np.float64]
Features = Callable[[NDArray[np.uint8]], Floats]  # of a picture (H, W, 3): a vector of always the same length

FEWEST, MOST = 5, 60  # photographs; of more, so many evenly from the first to the last
RESERVED = 1 / 3  # share that judges and is not fitted to
OTHER_SCALE = 2.0  # times larger or smaller than the recipe's frames, from which on pixels cannot be compared
BLANK = 1.0 / 255  # deviation of brightness below which a picture shows nothing


@dataclass(frozen=True, eq=False)
class Photographs:
    """N photographs, measured.

    names, digests: of their files. groups (N,): the physical surface of each. names_of: of the d statistics. statistics
    (N, d), features (N, f), with f 0 where nothing computes any. reserved (N,): which judge. pictures: as they are
    shown, (H, W, 3) uint8. colour: whether colours are compared.
    """

    folder: str
    names: tuple[str, ...]
    digests: tuple[str, ...]
    groups: NDArray[np.str_]
    names_of: tuple[str, ...]
    statistics: Floats
    features: Floats
    reserved: NDArray[np.bool_]
    pictures: tuple[NDArray[np.uint8], ...]
    colour: bool


def good_samples(folder: Path) -> list[Sample]:
    """Photographs of good parts: those that the folder's format calls good, or all pictures below a plain folder.

    Raises SampleError where there are fewer than FEWEST.
    """
    if not folder.is_dir():
        raise SampleError(f"{folder}: is no folder; give --real a folder of photographs of good parts")
    try:
        samples = [sample for sample in read_samples(folder) if sample.label == GOOD]
    except SampleError:
        paths, options = plain_pictures(folder)
        names = [path.relative_to(folder).as_posix() for path in paths]
        samples = [Sample(name, name, GOOD, path, options=options) for name, path in zip(names, paths, strict=True)]
    if len(samples) < FEWEST:
        raise SampleError(
            f"{folder}: found {len(samples)} photographs of good parts; expected {FEWEST} or more, better 24"
        )
    return spread(samples, MOST)


def photographs(folder: Path, recipe: Recipe, features: Features | None, seed: int, progress: Progress) -> Photographs:
    """Read and measure the photographs of a folder.

    features: of a picture, what else it is compared by. Raises SampleError, PictureError, and CalibrationError where
    they cannot be compared with the recipe's frames.
    """
    samples = good_samples(folder)
    pictures, digests = [], []
    for number, sample in enumerate(samples):
        picture = sample.image()
        _refuse_useless(sample, picture)
        pictures.append(middle(picture))
        digests.append(hashlib.sha256(content_of(sample.image_path)).hexdigest())
        progress("reading photographs", number + 1, len(samples))
    refuse_other_scale(folder, samples, recipe)
    coloured = sum(map(is_colour, pictures)) > len(pictures) / 2
    if coloured and recipe.sensor.monochrome:
        warnings.warn(
            f"{folder}: the photographs have colours, the recipe's sensor is monochrome: brightness alone is compared",
            BlemishNote,
            stacklevel=2,
        )
    colour = coloured and not recipe.sensor.monochrome
    rows, described = [], []
    for number, picture in enumerate(pictures):
        rows.append(picture_statistics(picture, colour))
        described.append(features(picture) if features else np.zeros(0))
        progress("measuring photographs", number + 1, len(pictures))
    names = tuple(rows[0])
    kept = {sample.name for sample in split_by_group(samples, [1 - RESERVED, RESERVED], seed)[0]}
    reserved = np.array([sample.name not in kept for sample in samples])
    if not reserved.any() or reserved.all():
        raise SampleError(
            f"{folder}: found photographs of {len({sample.group for sample in samples})} surface; expected several: "
            "some are kept back to judge by"
        )
    return Photographs(
        folder=folder.resolve().name,
        names=tuple(sample.image_path.name for sample in samples),
        digests=tuple(digests),
        groups=np.array([sample.group for sample in samples]),
        names_of=names,
        statistics=np.array([[row[name] for name in names] for row in rows]),
        features=np.array(described, dtype=np.float64),
        reserved=reserved,
        pictures=tuple(pictures),
        colour=colour,
    )


def middle(pixels: NDArray[Any]) -> NDArray[Any]:
    """The middle of a picture (H, W, ...), of no more than LONGEST pixels a side: what is measured of it."""
    row, column, height, width = window(pixels.shape[0], pixels.shape[1])
    return pixels[row : row + height, column : column + width]


def window(height: int, width: int) -> tuple[int, int, int, int]:
    """First row and column, height and width of that middle."""
    row, column = (max(0, (side - LONGEST) // 2) for side in (height, width))
    return row, column, min(height, LONGEST), min(width, LONGEST)


def _refuse_useless(sample: Sample, picture: NDArray[np.uint8]) -> None:
    height, width = picture.shape[:2]
    if min(height, width) < 4 * LEAST_SIDE:
        raise SampleError(
            f"{sample.image_path}: is {width} x {height} pixels; expected {4 * LEAST_SIDE} or more a side"
        )
    if picture.std() < BLANK * 255:
        raise SampleError(f"{sample.image_path}: is the same everywhere; expected a photograph: leave it out")


def refuse_other_scale(folder: Path, samples: list[Sample], recipe: Recipe) -> None:
    """Raises CalibrationError where pictures have another number of pixels than the recipe's frames."""
    height, width = np.median([sample.shape() for sample in samples], axis=0)
    ours = recipe.camera.resolution
    ratio = float(np.sqrt(height * width / (ours[0] * ours[1])))
    if not 1 / OTHER_SCALE < ratio < OTHER_SCALE:
        raise CalibrationError(
            f"{folder}: found photographs of about {width:.0f} x {height:.0f} pixels and a recipe of {ours[0]} x "
            f"{ours[1]}; expected the same scale: set camera.resolution to that of the photographs"
        )
