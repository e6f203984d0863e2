"""The command `blemish report`: the page on a dataset, with what inspectors say of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomaly.inspection.options import (
    BATCH,
    BatchOption,
    DeviceOption,
    PrecisionOption,
    ThreadsOption,
    TileOption,
    computing,
)
from scenes.jobs.options import RayOption, WorkersOption, executor_for, repeatable
from scenes.jobs.progress import Progress, shown

if TYPE_CHECKING:
    from scenes.gallery.comparison import Comparison
    from scenes.gallery.judged import Judged
    from scenes.gallery.survey import Survey
    from scenes.jobs.executor import Executor

STOPPED = "stopped; the same command goes on from what is looked at and judged"


def register(app: typer.Typer) -> None:
    """Mount this module's command."""
    app.command()(report)


def report(
    dataset: Annotated[Path, typer.Argument(help="Folder of a dataset.", show_default=False)],
    inspectors: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[INSPECTOR...]", help="Folders of inspectors that judge its frames.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the page and what it loads; by default beside the dataset, DATASET-report."),
    ] = None,
    real: Annotated[
        Path | None,
        typer.Option(
            help="A folder of real photographs of good parts to compare the frames with: in any format of `evaluate`, "
            "or just pictures."
        ),
    ] = None,
    device: DeviceOption = "auto",
    batch: BatchOption = BATCH,
    precision: PrecisionOption = "full",
    tile: TileOption = None,
    threads: ThreadsOption = 1,
    workers: WorkersOption = None,
    ray: RayOption = None,
) -> None:
    """Write a page on which one looks through a dataset: thousands of frames, with masks, filters and figures.

        blemish report out/train

    It opens in any browser, from the disk. Every frame is there small; a click shows it at full size, with its masks
    and every number that was drawn for it. Classes, sizes, contrast to noise, severity and whatever the recipe draws
    filter and order the frames; histograms, a map of where things lie on the part and near-duplicates follow.

    With what inspectors say: scores of good and flawed frames, a threshold to drag with the counts that follow, and
    hits, misses and false alarms painted over the frames in green, red and blue:

        blemish report out/test out/inspector out/other-inspector

    Beside real photographs: which figures of the finish differ, and how far the features lie apart:

        blemish report out/train --real photos/good-parts

    Stopped, the same command goes on where it was. Of a dataset that has grown only what is new is looked at.
    """
    from scenes.datasets.lock import locked
    from scenes.datasets.reader import Dataset
    from scenes.gallery.survey import survey
    from scenes.gallery.writing import page_folder, write_page

    read = Dataset(dataset)
    folder = page_folder(read.path.resolve()) if out is None else out
    command = repeatable(sys.argv[1:])
    executor = executor_for(workers, ray)
    where = (device if executor.is_here or device != "auto" else "cpu", batch, precision, tile)
    with locked(folder), shown(STOPPED, unit="frames") as progress:
        looked = survey(read, folder, progress, executor)
        judged = _judged(looked, inspectors or [], folder, where, threads, progress, executor)
        comparison = None if real is None else _comparison(looked, real, threads, progress)
        path = write_page(folder, looked, judged, comparison, command=command)
    likes = int((looked.near_duplicates >= 0).sum())
    typer.echo(f"frames    {len(read)}, with {len(looked.frame)} things in sight")
    if likes:
        typer.echo(f"alike     {likes} frames are near-duplicates of others; the page shows which")
    for figure in sorted(comparison.figures, key=lambda figure: -figure.distance)[:3] if comparison else ():
        typer.echo(f"differs   {figure.name.replace('_', ' ')}, by {figure.distance:.2f} of 1 from real pictures")
    typer.echo(f"page      {path}")


def _judged(
    looked: Survey,
    folders: list[Path],
    out: Path,
    where: tuple[str, int, str, int | None],
    threads: int,
    progress: Progress,
    executor: Executor,
) -> list[Judged]:
    if not folders:
        return []
    on = computing(*where)
    import torch

    from anomaly.gallery.judging import judge
    from anomaly.inspection.inspector import Inspector
    from scenes.formats.registry import read_samples

    torch.set_num_threads(threads)
    once = list({folder.resolve(): folder for folder in folders}.values())
    inspectors = [(folder, Inspector.load(folder).on(on)) for folder in once]
    samples = {int(sample.name): sample for sample in read_samples(looked.dataset.path, "blemish")}
    judged = [judge(inspector, folder, looked, samples, out, progress, executor) for folder, inspector in inspectors]
    names = [judgement.name for judgement in judged]
    return [
        replace(judgement, name=str(folder)) if names.count(judgement.name) > 1 else judgement
        for folder, judgement in zip(once, judged, strict=True)
    ]


def _comparison(looked: Survey, real: Path, threads: int, progress: Progress) -> Comparison:
    """The frames beside real pictures; their features too, where what computes these is installed."""
    from scenes.gallery.comparison import compared

    comparison = compared(looked, real, progress)
    try:
        import torch

        from anomaly.gallery.feature_distance import feature_distance
    except ModuleNotFoundError:
        return comparison
    torch.set_num_threads(threads)
    return replace(comparison, features=feature_distance(looked, real, progress))
