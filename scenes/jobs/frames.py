"""Frames as tasks: workers make the files of one frame after the other, and one process writes them."""

from __future__ import annotations

from collections.abc import Callable

from procgen.errors import BlemishError
from scenes.datasets.frame_files import FrameFiles
from scenes.datasets.writer import DatasetWriter
from scenes.jobs.executor import Executor, Work


def write_missing(
    writer: DatasetWriter,
    work: Work[int, FrameFiles],
    executor: Executor,
    *,
    on_begin: Callable[[int], None] = lambda missing: None,
    on_frame: Callable[[int], None] = lambda index: None,
) -> None:
    """Have a dataset's missing frames made, whose numbers are the tasks, and finish it.

    on_begin: told how many there are; on_frame: the number of each as it is written. A dataset that this writer began,
    and of which no frame came, is taken back. Raises what the work raises, DatasetError.
    """
    missing = writer.missing()
    on_begin(len(missing))

    def take(position: int, files: FrameFiles) -> None:
        writer.put(missing[position], files)
        on_frame(missing[position])

    try:
        executor.run(work, missing, take)
    except BlemishError:
        writer.discard()
        raise
    writer.finish()
