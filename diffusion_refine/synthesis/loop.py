"""The one loop of all methods: frame after frame into a dataset, each whole or not at all, with the record of how."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from diffusion_refine.synthesis.attempts import edited
from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, SourceFrame, Synthesis
from procgen.errors import BlemishError
from scenes.datasets.lock import locked
from scenes.datasets.reader import Dataset
from scenes.datasets.writer import DatasetWriter
from scenes.jobs.progress import Progress


def carry_out(synthesis: Synthesis, out: Path, progress: Progress = lambda *_: None) -> Dataset:
    """Make all frames; those that the folder already holds are kept, so that a stopped run ends in the same bytes.

    Raises BlemishError where the output is the input; DatasetError.
    """
    source = synthesis.source
    if source.folder is not None and out.resolve() == source.folder.resolve():
        raise BlemishError(f"{out}: is the dataset that the frames come from; choose another folder for --out")
    with locked(out):
        writer = DatasetWriter(
            out, source.recipe, source.seed, len(source), classes=synthesis.classes, **synthesis.settings
        )
        missing = writer.missing()
        for done, index in enumerate(missing):
            progress(synthesis.activity, done, len(missing))
            frame, variant = source.at(index)
            made = frame_of(synthesis, frame, variant)
            writer.write(
                index, made.image, made.classes, made.defects, made.impurities, frame.scene, made.instances, made.record
            )
        if missing:
            progress(synthesis.activity, len(missing), len(missing))
        writer.finish()
    return Dataset(out)


def frame_of(synthesis: Synthesis, frame: SourceFrame, variant: int = 0) -> GeneratedFrame:
    """One frame with its whole record: where it comes from, how it was made, and what came of it."""
    stream = FrameStream(synthesis.seed, frame.index, variant)
    if synthesis.editing is None:
        made = synthesis.generator.generate(frame, synthesis.where(frame), stream)
    else:
        made = edited(synthesis.generator, synthesis.editing, frame, stream)
    record = {
        "generator": synthesis.name,
        "parents": [*synthesis.source.parents(frame), *made.parents],
        "variant": variant,
        "seed": synthesis.seed,
        **synthesis.generator.described(variant),
        **made.record,
    }
    return replace(made, record=record)
