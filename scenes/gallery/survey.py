"""Every frame of a dataset looked at once: what the page says of it, as columns over frames and things."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from scenes.datasets.reader import Dataset, Frame
from scenes.gallery import near_duplicates as duplicates
from scenes.gallery import thumbnails
from scenes.gallery.packs import Made, packed
from scenes.gallery.parameters import parameters, severity
from scenes.gallery.things import things
from scenes.jobs.progress import Progress
from scenes.parts import build_part
from scenes.recipes.recipe import Recipe
from scenes.version import blemish_version

SCHEMA = 1  # of what is measured; another one has every frame looked at again
FOLDER = "frames"  # of the page's own, with what it loads of frames
DIGITS = 7  # of measured numbers, as many as single precision holds

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Survey:
    """What is measured of the N frames of a dataset, and of the M things on them, frame by frame.

    packs: as `packed` gives them. frame, class_number (M,): whose and which, by position and by the dataset's order of
    classes. area, contrast, column, row, chart, u, v (M,): see `Thing`.
    """

    dataset: Dataset
    packs: Sequence[dict[str, Any]]
    frame: NDArray[np.int64]
    class_number: NDArray[np.int64]
    area: Floats
    contrast: Floats
    column: Floats
    row: Floats
    chart: NDArray[np.int64]
    u: Floats
    v: Floats

    @property
    def frames(self) -> list[dict[str, Any]]:
        """What is measured of each frame."""
        return [frame for pack in self.packs for frame in pack["frames"]]

    @cached_property
    def parameters(self) -> dict[str, Floats]:
        """What was drawn anew for every frame, (N,) by its name, NaN for a frame without it; no constants."""
        every = [frame["parameters"] for frame in self.frames]
        names = dict.fromkeys(name for drawn in every for name in drawn)
        columns = {name: np.array([drawn.get(name, math.nan) for drawn in every], dtype=np.float32) for name in names}
        return {name: column for name, column in columns.items() if len(np.unique(column[~np.isnan(column)])) > 1}

    @cached_property
    def near_duplicates(self) -> NDArray[np.int64]:
        """(N,) see `near_duplicates`."""
        structures = duplicates.read([frame["structure"] for frame in self.frames])
        return duplicates.near_duplicates(structures, [frame["picture"] for frame in self.frames])


def survey(dataset: Dataset, folder: Path, progress: Progress) -> Survey:
    """Look at every frame that was not looked at in an earlier run, and write what the page loads into `folder`/frames.

    Raises DatasetError for damaged frames, and where the disk does not take the files.
    """
    try:
        recipe: Recipe | None = dataset.recipe
    except BlemishError:  # of another Blemish: what was drawn is read from the scenes
        recipe = None

    def make(positions: Sequence[int]) -> Made:
        looked = [look(dataset[position], recipe) for position in positions]
        measured = {"frames": [of_frame for of_frame, _, _ in looked]}
        thumbnail_pack = [thumbnail for _, thumbnail, _ in looked]
        return measured, {"thumbnails": thumbnail_pack, "details": [detail for _, _, detail in looked]}

    settings = [SCHEMA, blemish_version(), dataset.header.model_dump(mode="json", exclude={"frames"})]
    packs = packed(dataset, folder / FOLDER, settings, make, "looking at frames", progress)
    return _columns(dataset, packs)


def look(frame: Frame, recipe: Recipe | None) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """What is measured of a frame, what the page loads to show it small, and what it loads to show it whole."""
    scene, image = frame.scene, frame.image
    found = things(frame)
    drawn = parameters(scene, recipe)
    visible = {thing.class_name for thing in found}
    gross = severity(drawn, visible)
    if not math.isnan(gross):
        drawn = {"severity, the largest in sight": gross, **drawn}
    size = thumbnails.thumbnail_size(*image.shape[:2])
    grey = thumbnails.grey_of(image)
    measured = {
        "size": list(image.shape[:2]),
        "parameters": {name: _rounded(value) for name, value in drawn.items()},
        "things": [[_rounded(value) for value in astuple(thing)[:-1]] for thing in found],
        "chart_sizes": [[_rounded(side) for side in chart.size] for chart in build_part(scene.part).charts],
        "brightness": _rounded(float(grey.mean())),
        "structure": duplicates.written(duplicates.fine_structure(grey)),
        "picture": frame.digests.get("images", ""),
    }
    thumbnail = {
        "picture": thumbnails.picture(image),
        "size": list(size),
        "classes": thumbnails.runs(thumbnails.pooled(frame.classes, size)),
    }
    detail = {
        "scene": scene.model_dump(mode="json"),
        "made": frame.refinement,
        "parameters": measured["parameters"],
        "runs": [thing.runs for thing in found],
        "ids": [thing.id for thing in found],
    }
    return measured, thumbnail, detail


def _rounded(value: Any) -> Any:
    """A number with as many digits as count; None for what is no number."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _columns(dataset: Dataset, packs: Sequence[dict[str, Any]]) -> Survey:
    numbers = {name: number for number, name in enumerate(dataset.classes)}
    rows = [
        (position, numbers[name], *values)
        for position, frame in enumerate(frame for pack in packs for frame in pack["frames"])
        for name, _, *values in frame["things"]
    ]
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * 9
    whole = [np.array(column, dtype=np.int64) for column in (columns[0], columns[1], columns[6])]
    real = [np.array(columns[k], dtype=np.float64).astype(np.float32) for k in (2, 3, 4, 5, 7, 8)]
    area, contrast, column, row, u, v = real
    return Survey(dataset, packs, whole[0], whole[1], area, contrast, column, row, whole[2], u, v)
