"""Labelled pictures of any format as a dataset of Blemish, for all that works on one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procgen.errors import BlemishError, BlemishNote
from scenes.datasets.frame_files import FrameFiles, frame_files
from scenes.datasets.lock import locked
from scenes.datasets.reader import Dataset
from scenes.datasets.writer import DatasetWriter
from scenes.formats.errors import SampleError
from scenes.formats.exchange.source import looked_through
from scenes.formats.labels.coco import Instances
from scenes.formats.numbering import numbered
from scenes.formats.provenance import digest_of, parents_of
from scenes.formats.sample import Sample
from scenes.jobs.executor import Executor, Place, Simple, Worker
from scenes.jobs.local import Local
from scenes.jobs.progress import Progress
from scenes.pictures.reading import read_photograph
from scenes.recipes.on_photographs import draw_on
from scenes.recipes.recipe import Recipe

HERE = Local()


def write_import(
    folder: Path,
    format: str,
    samples: Sequence[Sample],
    out: Path,
    recipe: Recipe,
    progress: Progress = lambda *_: None,
    executor: Executor = HERE,
) -> Dataset:
    """Write a frame of every sample of a folder; those that are there already are kept.

    recipe: what the pictures show; its part, finish and camera stand for the surface in the frames' scenes, nothing of
    it is drawn. executor: where frames are made, which changes no byte. Raises SampleError, PictureError; DatasetError,
    also where there are more classes than a map has bits.
    """
    if out.resolve() == folder.resolve():
        raise SampleError(f"{out}: is the folder that is imported; choose another for --out")
    surface = recipe.only()
    samples, classes = looked_through(folder, samples)
    hidden = 0
    with locked(out):
        imported = {"format": format, "set": folder.resolve().name, "sha256": digest_of(samples)}
        writer = DatasetWriter(out, surface, 0, len(samples), classes=classes, imported=imported)
        missing = writer.missing()
        progress("importing", 0, len(missing))

        def take(position: int, made: tuple[FrameFiles, int]) -> None:
            nonlocal hidden
            files, covered = made
            hidden += covered
            writer.put(missing[position], files)
            progress("importing", position + 1, len(missing))

        try:
            tasks = [(index, samples[index]) for index in missing]
            executor.run(Importing(folder, writer.recipe, tuple(classes)), tasks, take, in_order=True)
        except BlemishError:
            writer.discard()  # unless a frame is there
            raise
        writer.finish()
    if hidden:
        warnings.warn(
            f"{folder}: {hidden} instances lie partly under others of their family; a dataset keeps their classes "
            "there, but the instance on top alone",
            BlemishNote,
            stacklevel=2,
        )
    return Dataset(out)


@dataclass(frozen=True)
class Importing:
    """Making the frames of samples, given with their numbers, as work; classes: in the order of their bits."""

    folder: Path
    recipe: Recipe
    classes: tuple[str, ...]

    has_own_process = False

    def open(self, place: Place) -> Worker[tuple[int, Sample], tuple[FrameFiles, int]]:
        return Simple(lambda task: self._frame(*task))

    def _frame(self, index: int, sample: Sample) -> tuple[FrameFiles, int]:
        """The files of a sample's frame; how many of its instances lie partly under others."""
        photograph = read_photograph(sample.image_path, sample.options, cut_out=True, sha256=sample.sha256)
        under = sample.annotation.under_others() if isinstance(sample.annotation, Instances) else ()
        maps = numbered(sample.truth(), {name: bit for bit, name in enumerate(self.classes)}, under)
        record: dict[str, Any] = {"generator": "import", "parents": parents_of(sample, index, photograph, self.folder)}
        if sample.split:
            record["split"] = sample.split
        scene = draw_on(photograph, self.recipe, 0, index, None, None)
        masks = (maps.classes, maps.defects, maps.impurities)
        return frame_files(self.recipe, photograph.pixels, *masks, scene, maps.instances, record), maps.covered
