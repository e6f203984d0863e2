"""The command `blemish study`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from procgen.errors import Stopped
from scenes.datasets.lock import locked


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
    from anomaly.studies.engine.study_file import study_path
    from anomaly.studies.study_file import load_study

    if show:
        typer.echo(study_path(study).read_text(encoding="utf-8"), nl=False)
        return
    file = load_study(study)

    import torch

    from anomaly.studies.anomaly.report import write_study
    from anomaly.studies.anomaly.run import run_study
    from anomaly.studies.engine.cache import Cache
    from anomaly.studies.engine.progress import ProgressDisplay

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
