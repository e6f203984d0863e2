"""The command `blemish study`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from procgen.errors import Stopped
from scenes.datasets.lock import locked
from scenes.jobs.progress import tell_program, told_to_program

if TYPE_CHECKING:
    from rich.progress import Progress


def register(app: typer.Typer) -> None:
    """Mount this module's command."""
    app.command()(study)


def study(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="A shipped study's name (magnetic_tile, plate) or a YAML file.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report, its figures and, by default, the cache.")] = Path(
        "out/study"
    ),
    real: Annotated[
        Path | None, typer.Option(help="The folder of photographs to evaluate on, instead of the study's own.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder for renders, banks and evaluations, which studies may share; by default OUT/cache."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print the study's YAML, to copy and change, and do no more.")
    ] = (False),
    threads: Annotated[
        int, typer.Option(min=1, help="Processor threads for learning and evaluating; rendering uses all there are.")
    ] = 2,
) -> None:
    """Compare training on real pictures, on renders and on both, as the paper on Sequential PatchCore does.

    On real photographs of magnetic tiles:

        blemish study magnetic_tile --real photos/magnetic_tile --out out/study

    On plates, with renders held out in the place of photographs:

        blemish study plate --out out/study-plate

    Stopped at any moment, the same command goes on. After a change to the study, only what depends on it is made anew.
    """
    from anomaly.studies.study_file import load_study, study_path

    if show:
        typer.echo(study_path(study).read_text(encoding="utf-8"), nl=False)
        return
    file = load_study(study)

    import torch

    from anomaly.studies.cache import Cache
    from anomaly.studies.report import write_study
    from anomaly.studies.run import run_study

    torch.set_num_threads(threads)
    progress = ProgressDisplay()
    try:
        with locked(out), progress:
            outcome = run_study(file, Cache(cache or out / "cache"), progress, real)
            progress.step("intervals and report", True)
            lines, report = write_study(outcome, out, shlex.join(["blemish", *sys.argv[1:]]))
    except KeyboardInterrupt:
        raise Stopped("stopped; the same command goes on from the last finished step") from None
    for line in lines:
        typer.echo(line)
    typer.echo(f"report  {report}")


class ProgressDisplay:
    """Tells how a study goes: two bars on a terminal, otherwise a line a step.

    Where BLEMISH_PROGRESS=lines is set, lines that a program can read, as `blemish train` writes them.
    """

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._for_programs = told_to_program()
        self._bars: Progress | None = None
        self._all: Any = None
        self._one: Any = None
        self._steps = self._begun = self._kept = 0

    def __enter__(self) -> ProgressDisplay:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        if self._console.is_terminal and not self._for_programs:
            columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=self._console)
            self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, steps: int) -> None:
        self._steps = steps + 1  # the report
        if self._bars is not None:
            self._all = self._bars.add_task("study", total=self._steps)
            self._one = self._bars.add_task("", total=None)

    def step(self, name: str, is_new: bool) -> None:
        self._begun += 1
        self._kept += not is_new
        if self._for_programs:
            tell_program(name, self._begun - 1, self._steps)
        elif self._bars is not None:
            self._bars.update(self._all, completed=self._begun - 1, description=f"study ({self._kept} steps kept)")
            self._bars.reset(self._one, description=name, total=None)
        elif is_new:
            self._console.print(f"{self._begun} of {self._steps}  {name}", highlight=False, soft_wrap=True)

    def advance(self, what: str, done: int, total: int) -> None:
        if self._for_programs:
            tell_program(what, done, total)
        elif self._bars is not None:
            self._bars.update(self._one, completed=done, total=total)
