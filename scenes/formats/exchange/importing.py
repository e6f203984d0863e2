"""Labelled pictures of any format as a dataset of Blemish, for all that works on one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from procgen.errors import BlemishError, BlemishNote
from scenes.datasets.lock import locked
from scenes.datasets.reader import Dataset
from scenes.datasets.writer import DatasetWriter
from scenes.formats.errors import SampleError
from scenes.formats.exchange.source import looked_through
from scenes.formats.labels.coco import Instances
from scenes.formats.numbering import numbered
from scenes.formats.provenance import digest_of, parents_of
from scenes.formats.sample import Sample
from scenes.jobs.progress import Progress
from scenes.pictures.reading import read_photograph
from scenes.recipes.on_photographs import draw_on
from scenes.recipes.recipe import Recipe


def write_import(
    folder: Path,
    format: str,
    samples: Sequence[Sample],
    out: Path,
    recipe: Recipe,
    progress: Progress = lambda *_: None,
) -> Dataset:
    """Write a frame of every sample of a folder; those that are there already are kept.

    recipe: what the pictures show; its part, finish and camera stand for the surface in the frames' scenes, nothing of
    it is drawn. Raises SampleError, PictureError; DatasetError, also where there are more classes than a map has bits.
    """
    if out.resolve() == folder.resolve():
        raise SampleError(f"{out}: is the folder that is imported; choose another for --out")
    surface = recipe.only()
    samples, classes = looked_through(folder, samples)
    bits = {name: bit for bit, name in enumerate(classes)}
    hidden = 0
    with locked(out):
        imported = {"format": format, "set": folder.resolve().name, "sha256": digest_of(samples)}
        writer = DatasetWriter(out, surface, 0, len(samples), classes=classes, imported=imported)
        missing = writer.missing()
        for done, index in enumerate(missing):
            progress("importing", done, len(missing))
            try:
                hidden += _write_frame(writer, index, samples[index], folder, bits)
            except BlemishError:
                writer.discard()  # unless a frame is there
                raise
        progress("importing", len(missing), len(missing))
        writer.finish()
    if hidden:
        warnings.warn(
            f"{folder}: {hidden} instances lie partly under others of their family; a dataset keeps their classes "
            "there, but the instance on top alone",
            BlemishNote,
            stacklevel=2,
        )
    return Dataset(out)


def _write_frame(writer: DatasetWriter, index: int, sample: Sample, folder: Path, bits: Mapping[str, int]) -> int:
    """Write the frame of a sample; how many of its instances lie partly under others."""
    photograph = read_photograph(sample.image_path, sample.options, cut_out=True, sha256=sample.sha256)
    under = sample.annotation.under_others() if isinstance(sample.annotation, Instances) else ()
    maps = numbered(sample.truth(), bits, under)
    record: dict[str, Any] = {"generator": "import", "parents": parents_of(sample, index, photograph, folder)}
    if sample.split:
        record["split"] = sample.split
    scene = draw_on(photograph, writer.recipe, 0, index, None, None)
    writer.write(index, photograph.pixels, maps.classes, maps.defects, maps.impurities, scene, maps.instances, record)
    return maps.covered
