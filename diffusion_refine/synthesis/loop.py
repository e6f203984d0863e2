"""The one loop of all methods: frame after frame into a dataset, each whole or not at all, with the record of how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from diffusion_refine.synthesis.attempts import edited
from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, SourceFrame, Synthesis
from procgen.errors import BlemishError
from scenes.datasets.frame_files import FrameFiles, frame_files
from scenes.datasets.lock import locked
from scenes.datasets.reader import Dataset
from scenes.datasets.writer import DatasetWriter
from scenes.jobs.executor import Executor, Place, Simple, Worker
from scenes.jobs.frames import write_missing
from scenes.jobs.local import Local
from scenes.jobs.progress import Progress
from scenes.recipes.recipe import Recipe

HERE = Local()


@dataclass(frozen=True)
class Making:
    """Making the frames of a dataset, as work.

    synthesis: as it is opened here; opened: opens it in another process. recipe: of the dataset.
    """

    synthesis: Synthesis | None
    opened: Callable[[], Synthesis] | None
    recipe: Recipe

    has_own_process = False

    def __reduce__(self) -> tuple[type[Making], tuple[None, Callable[[], Synthesis] | None, Recipe]]:
        return Making, (None, self.opened, self.recipe)  # models and rules stay where they are

    def open(self, place: Place) -> Worker[int, FrameFiles]:
        """A worker with the method opened."""
        synthesis = self.synthesis
        if synthesis is None:
            assert self.opened is not None
            synthesis = self.opened()
        return Simple(partial(files_of, synthesis, self.recipe))


def carry_out(
    synthesis: Synthesis,
    out: Path,
    progress: Progress = lambda *_: None,
    *,
    executor: Executor = HERE,
    opened: Callable[[], Synthesis] | None = None,
) -> Dataset:
    """Make all frames; those that the folder already holds are kept, so that a stopped run ends in the same bytes.

    executor: where they are made; opened: what opens the synthesis there, where that is not this process. Raises
    BlemishError where the output is the input; DatasetError.
    """
    source = synthesis.source
    if source.folder is not None and out.resolve() == source.folder.resolve():
        raise BlemishError(f"{out}: is the dataset that the frames come from; choose another folder for --out")
    done = total = 0

    def begin(missing: int) -> None:
        nonlocal total
        total = missing
        if missing:
            progress(synthesis.activity, 0, missing)

    def advance(index: int) -> None:
        nonlocal done
        done += 1
        progress(synthesis.activity, done, total)

    with locked(out):
        writer = DatasetWriter(
            out, source.recipe, source.seed, len(source), classes=synthesis.classes, **synthesis.settings
        )
        work = Making(synthesis, opened, writer.recipe)
        write_missing(writer, work, executor, on_begin=begin, on_frame=advance)
    return Dataset(out)


def files_of(synthesis: Synthesis, recipe: Recipe, index: int) -> FrameFiles:
    """Frame `index` of a dataset with this recipe, made anew."""
    frame, variant = synthesis.source.at(index)
    made = frame_of(synthesis, frame, variant)
    return frame_files(
        recipe, made.image, made.classes, made.defects, made.impurities, frame.scene, made.instances, made.record
    )


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
