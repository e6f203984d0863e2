"""The commands `blemish inspect` and `regions`."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Annotated, Literal

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
from scenes.datasets.lock import one_writer
from scenes.jobs.progress import Progress, shown
from scenes.pictures.options import MOST_MILLIONS, MostPixelsOption, WhiteLevelOption, reading

if TYPE_CHECKING:
    from anomaly.line.drift import DriftTest
    from anomaly.line.inspection import Inspection
    from anomaly.line.sources import Picture
    from anomaly.line.verdict_file import Line

STOPPED = "stopped; the same command goes on after the last picture"
LOST = "stopped; with --out the same command would go on after the last picture"
PAGE_EVERY = 10.0  # s between two pages of a watched folder


def register(app: typer.Typer) -> None:
    """Mount this module's commands."""
    app.command()(inspect)
    app.command()(regions)


@one_writer
def inspect(
    inspector: Annotated[
        Path, typer.Argument(help="Folder of an inspector that `blemish train` made.", show_default=False)
    ],
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURES|FOLDER|VIDEO|camera:0...",
            help="Pictures, folders of them, videos, and cameras by their number.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for verdicts.jsonl, overlays, heat maps, masks and the page; a stopped inspection in it is "
            "taken up again. Without it verdicts go to standard output, a JSON object a line."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Inspect what comes into the folder too, until Ctrl-C.")
    ] = False,
    every: Annotated[int, typer.Option(min=1, help="Of videos and cameras, inspect each so many-th frame.")] = 1,
    threshold: Annotated[
        float | None, typer.Option(help="From where on a pixel is a defect, instead of the inspector's own threshold.")
    ] = None,
    smallest: Annotated[
        int, typer.Option(min=0, help="Places of fewer pixels count for nothing, at the price of small defects.")
    ] = 0,
    mm_per_pixel: Annotated[
        float | None,
        typer.Option(help="What a pixel shows across, for sizes in mm. Inspectors of renders know it from the recipe."),
    ] = None,
    keep: Annotated[
        Literal["all", "flawed", "none"],
        typer.Option(help="Of which pictures overlay, heat map and mask are written to --out."),
    ] = "all",
    flagged_at_most: Annotated[
        float | None,
        typer.Option(
            help="Share of pictures that can be flagged without drift, as 0.05; more then count as drift too."
        ),
    ] = None,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_MILLIONS,
    device: DeviceOption = "auto",
    batch: BatchOption = BATCH,
    precision: PrecisionOption = "full",
    tile: TileOption = None,
    threads: ThreadsOption = 1,
) -> None:
    """Inspect pictures nobody has looked at: which are flawed, where, and how large that is.

        blemish inspect out/careful photos/today --out out/today

    For a script: verdicts as JSON lines, and an exit code of 0 where all are good, 1 where any is flawed, 2 where any
    could not be read:

        blemish inspect out/careful photos/today/*.png --mm-per-pixel 0.05 > verdicts.jsonl

    On the line, every picture when it is wholly written to the folder, until Ctrl-C:

        blemish inspect out/careful incoming --watch --keep flawed --out out/line

    Each tenth frame of a film, or of a camera:

        blemish inspect out/careful belt.mp4 --every 10 --out out/belt

    The inspector needs a threshold: `blemish train` and `blemish bank` find one with --threshold good:1%. They keep the
    scores of good surfaces with it, and a running test says whether those of good pictures left where they were, as
    when light, lens or parts change.
    """
    where = computing(device, batch, precision, tile)
    import torch

    from anomaly.inspection.inspector import Inspector
    from anomaly.line.inspection import Inspection, begun, checked_scale, drift_test, inspected, summary_of
    from anomaly.line.sources import SourceError, found_sources, pictures_of, watched
    from anomaly.line.verdict_file import VerdictFile, in_one_line

    torch.set_num_threads(threads)
    options = reading(white_level, most_pixels)
    metres = checked_scale(mm_per_pixel)
    loaded = Inspector.load(inspector).on(where)
    options = replace(options, learnt=loaded.training.white_level)
    value = begun(loaded, inspector, threshold)
    inspection = Inspection(loaded, value, smallest, metres, keep)
    if watch and (len(pictures) != 1 or not Path(pictures[0]).is_dir()):
        raise SourceError("--watch takes one folder; give that alone")
    scratch = out or Path(gettempdir())
    sources = None if watch else found_sources(pictures, options, scratch)
    if sources is not None:
        options = sources.options
    asked = {"white_level": options.white_level, "flagged_at_most": flagged_at_most, "tile": loaded.tile}
    file = VerdictFile(out, {**inspection.settings(inspector), **asked}) if out else None
    lines = file.lines if file else []
    known = file.knows if file else lambda name, sha256: False
    drift = drift_test(loaded, value, lines, flagged_at_most)
    is_endless = watch or bool(sources and sources.cameras)
    page = _Page(inspection, inspector, out, drift)
    with _until_stopped() if is_endless else shown(STOPPED if out else LOST, "pictures") as progress:
        total = 0

        def wanted(count: int) -> None:
            nonlocal total
            total += count

        to_come: Iterator[Picture | None]
        if sources is not None:
            to_come = pictures_of(sources, every, known, wanted)
        else:
            to_come = watched(Path(pictures[0]), options, known, scratch)
        test = None if isinstance(drift, str) else drift
        every_line = inspected(inspection, to_come, file, test, lambda: page.renew(lines))
        for done, line in enumerate(every_line, 1):
            if file is None:
                lines.append(line)
                sys.stdout.buffer.write(in_one_line(line))
                sys.stdout.buffer.flush()
            else:
                _tell(line)
            progress("inspecting", done, max(total, done))
    if file is not None and is_endless:
        file.reread()
    page.end(lines)
    raise typer.Exit(summary_of(lines).exit_code)


def regions(
    picture: Annotated[Path, typer.Argument(help="A picture of the part, as all others of it.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The page to draw on, an HTML file.")],
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_MILLIONS,
) -> None:
    """Make a page to draw on a picture where an inspector shall look.

        blemish regions photos/part.png --out look.html

    Open it in a browser, draw rectangles and polygons, and save look.png. Then an inspector learns and inspects what is
    drawn alone:

        blemish train photos/good --look look.png --threshold good:1% --out out/careful

    Any picture of that size will do as well: white, or several grey levels, where to look, black elsewhere.
    """
    from anomaly.reporting.regions_page import write_regions_page
    from scenes.pictures.reading import read_rgb, with_white_level

    options = with_white_level([picture], reading(white_level, most_pixels), str(picture))
    page = write_regions_page(out, read_rgb(picture, options), picture.name)
    typer.echo(f"{page} is written: draw on it in a browser, save look.png, then train with --look look.png")


@contextmanager
def _until_stopped() -> Iterator[Progress]:
    """Of what has no end: Ctrl-C, or being told to end, is how it is brought to one."""
    typer.echo("inspecting until Ctrl-C", err=True)
    try:
        yield lambda what, done, total: None
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)


class _Page:
    """The page beside the verdicts, and what is said at the end, on standard error where verdicts go to the output."""

    def __init__(self, inspection: Inspection, folder: Path, out: Path | None, drift: DriftTest | str) -> None:
        self._inspection, self._folder, self._out, self._drift = inspection, folder, out, drift
        self._written, self._lines = time.monotonic(), -1

    def renew(self, lines: Sequence[Line]) -> None:
        """Write the page, unless that was just done, or there is nothing new."""
        if self._out and len(lines) > self._lines and time.monotonic() - self._written >= PAGE_EVERY:
            self._write(lines, self._out)
            self._written, self._lines = time.monotonic(), len(lines)

    def end(self, lines: Sequence[Line]) -> None:
        """Write the page, where there is a place for it, and say what came of it all."""
        from anomaly.line.inspection import drift_described, summary_of

        summary = summary_of(lines)
        self._say("inspected", summary.described)
        self._say("drift", drift_described(self._drift, summary))
        for note in self._notes(lines):
            self._say("note", note)
        if self._out:
            self._say("page", str(self._write(lines, self._out)))

    def _say(self, what: str, text: str) -> None:
        typer.echo(f"{what:10} {text}", err=self._out is None)

    def _notes(self, lines: Sequence[Line]) -> list[str]:
        """What could not be determined."""
        without = sum(line["verdict"] == "flawed" and "mm_per_pixel" not in line for line in lines)
        if not without:
            return []
        known = self._inspection.inspector.training.pixel_size
        reason = (
            f"the inspector knows it of pictures of {known.width} x {known.height} pixels alone"
            if known
            else "the inspector does not know how large one is"
        )
        return [f"sizes on {without} flawed pictures are in pixels: {reason}; say it with --mm-per-pixel"]

    def _write(self, lines: Sequence[Line], out: Path) -> Path:
        from anomaly.line.drift import FALSE_ALARM
        from anomaly.line.inspection import drift_described, summary_of
        from anomaly.line.verdict_file import PAGE
        from anomaly.reporting.inspection_page import write_inspection_page

        summary, training = summary_of(lines), self._inspection.inspector.training
        regions = self._inspection.inspector.regions
        own = training.threshold == self._inspection.threshold
        inspector = {
            "inspector": str(self._folder),
            "trained on": ", ".join(training.trained_on),
            "weights": training.weights,
            "looks at": regions.described(training.threshold) if regions else "the whole picture",
            "good surfaces it knows the scores of": str(len(training.good_scores)),
        }
        return write_inspection_page(
            out / PAGE,
            lines,
            summary=summary.described,
            threshold=self._inspection.threshold,
            threshold_origin=training.threshold_origin if own else "given as a number",
            inspector=inspector,
            drift=drift_described(self._drift, summary),
            is_drifted=not isinstance(self._drift, str) and self._drift.found_at is not None,
            alarm=1 / FALSE_ALARM,
            notes=self._notes(lines),
            command=shlex.join(["blemish", *sys.argv[1:]]),
        )


def _tell(line: Line) -> None:
    """A line for people on what is not good."""
    if line["verdict"] == "unreadable":
        typer.echo(f"unreadable {line['picture']}: {line['error']}")
    elif line["verdict"] == "flawed":
        largest = line["found"][0]
        size = (
            f"{largest['length_mm']:.3g} x {largest['width_mm']:.3g} mm"
            if "length_mm" in largest
            else f"{largest['length_pixels']:.0f} x {largest['width_pixels']:.0f} pixels"
        )
        places = f"{len(line['found'])} place{'s' * (len(line['found']) > 1)}, largest {size}"
        typer.echo(f"flawed     {line['picture']}: score {line['score']:.4g}, {places}")
