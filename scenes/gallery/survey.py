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
from scenes.datasets.schema import read_header, recipe_in
from scenes.gallery import near_duplicates as duplicates
from scenes.gallery import thumbnails
from scenes.gallery.packs import Made, Take, packed
from scenes.gallery.parameters import parameters, severity
from scenes.gallery.things import things
from scenes.jobs.executor import Executor, Place, Simple, Worker
from scenes.jobs.local import Local
from scenes.jobs.progress import Progress
from scenes.parts import build_part
from scenes.recipes.recipe import Recipe
from scenes.version import blemish_version

SCHEMA = 1  # of what is measured; another one has every frame looked at again
FOLDER = "frames"  # of the page's own, with what it loads of frames
HERE = Local()
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


def survey(dataset: Dataset, folder: Path, progress: Progress, executor: Executor = HERE) -> Survey:
    """Look at every frame that was not looked at in an earlier run, and write what the page loads into `folder`/frames.

    executor: where frames are looked at, which changes no byte. Raises DatasetError for damaged frames, and where the
    disk does not take the files.
    """

    def make(positions: Sequence[int], take: Take) -> None:
        executor.run(Looking(dataset.path), [dataset.indices[position] for position in positions], take, in_order=True)

    settings = [SCHEMA, blemish_version(), dataset.header.model_dump(mode="json", exclude={"frames"})]
    return _columns(dataset, packed(dataset, folder / FOLDER, settings, make, "looking at frames", progress))


@dataclass(frozen=True)
class Looking:
    """Looking at frames of a dataset, given by their numbers, as work."""

    folder: Path

    has_own_process = False

    def open(self, place: Place) -> Worker[int, Made]:
        header = read_header(self.folder)
        try:
            recipe: Recipe | None = recipe_in(self.folder)
        except BlemishError:  # of another Blemish: what was drawn is read from the scenes
            recipe = None
        return Simple(lambda index: look(Frame(self.folder, index, header), recipe))


def look(frame: Frame, recipe: Recipe | None) -> Made:
    """What is measured of a frame; and what the page loads to show it small, and to show it whole."""
    scene, image = frame.scene, frame.image
    found = things(frame)
    drawn = parameters(scene, recipe)
    gross = severity(drawn, {thing.class_name for thing in found})
    if not math.isnan(gross):
        drawn = {"severity, the largest in sight": gross, **drawn}
    numbers = {name: _rounded(value) for name, value in drawn.items()}
    height, width = image.shape[:2]
    charts = () if scene.own is not None else build_part(scene.part).charts
    size = thumbnails.thumbnail_size(height, width)
    grey = thumbnails.grey_of(image)
    measured = {
        "size": [height, width],
        "parameters": numbers,
        "things": [[_rounded(value) for value in astuple(thing)[:-1]] for thing in found],
        "chart_sizes": [[_rounded(side) for side in chart.size] for chart in charts],
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
        "parameters": numbers,
        "runs": [thing.runs for thing in found],
    }
    return measured, {"thumbnails": thumbnail, "details": detail}


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
