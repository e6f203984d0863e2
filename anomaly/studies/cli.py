"""The command `blemish study`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from procgen.errors import BlemishError, Stopped
from scenes.datasets.lock import locked
from scenes.jobs.options import RayOption, WorkersOption, executor_for, repeatable


def register(app: typer.Typer) -> None:
    """Mount this module's command."""
    app.command()(study)


def study(
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY", help="A shipped study's name (magnetic_tile, plate, tile_classification …) or a YAML file."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report, its figures and, by default, the cache.")] = Path(
        "out/study"
    ),
    task: Annotated[
        str | None,
        typer.Option(help="anomaly, bisqad, classification, segmentation, detection; by default what the study says."),
    ] = None,
    profile: Annotated[
        str, typer.Option(help="The study as it is written (full), or what it calls its profiles, such as small.")
    ] = "full",
    real: Annotated[
        Path | None, typer.Option(help="The folder of photographs to evaluate on, instead of the study's own.")
    ] = None,
    rendered: Annotated[
        bool,
        typer.Option("--rendered", help="Let the study's renders stand in for photographs that are there."),
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder for renders, models and evaluations, which studies may share; by default OUT/cache."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print the study's YAML, to copy and change, and do no more.")
    ] = (False),
    workers: WorkersOption = None,
    ray: RayOption = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Processor threads for learning and evaluating; rendering uses all there are.")
    ] = 2,
    device: Annotated[
        str, typer.Option(help="What learners are trained on: cpu, cuda, or auto for a card where there is one.")
    ] = "cpu",
) -> None:
    """Compare training on real pictures with training on synthetic ones, alone or beside them.

    Inspectors on real photographs of magnetic tiles, as the paper on Sequential PatchCore does:

        blemish study magnetic_tile --real photos/magnetic_tile --out out/study

    On plates, with renders held out in the place of photographs:

        blemish study plate --out out/study-plate

    What renders and drawn defects are worth to a classifier, in a small and quick version:

        blemish study tile_classification --profile small --out out/study-tiles

    Stopped at any moment, the same command goes on. After a change to the study, only what depends on it is made anew.
    """
    from anomaly.studies.engine.study_file import StudyFile, study_path

    if show:
        typer.echo(study_path(study).read_text(encoding="utf-8"), nl=False)
        return
    from anomaly.studies.anomaly.settings import Study
    from anomaly.studies.study_file import load_any

    file = load_any(study, task, profile)
    if rendered:
        from anomaly.studies.sources.stand_ins import on_renders

        file = on_renders(file, real)

    import torch

    from anomaly.studies.engine.cache import Cache
    from anomaly.studies.engine.progress import ProgressDisplay

    progress, executor = ProgressDisplay(), executor_for(workers, ray)
    store, command = Cache(cache or out / "cache"), repeatable(sys.argv[1:])
    try:
        with locked(out), progress:
            if isinstance(file.study, Study):
                from anomaly.studies.anomaly.report import write_study
                from anomaly.studies.anomaly.run import run_study

                torch.set_num_threads(threads)
                inspected = run_study(StudyFile(file.study, file.path), store, progress, real, executor)
                progress.step("intervals and report", True)
                lines, report = write_study(inspected, out, command)
            else:
                from anomaly.studies.engine.report import write_downstream
                from anomaly.studies.engine.run import run_downstream
                from anomaly.studies.registry import task_named
                from anomaly.studies.sources.real_set import photographs_of

                told = StudyFile(file.study, file.path)
                found = photographs_of(told, real)
                typer.echo(f"real pictures: {found or 'renders, as the study says under real.rendered'}", err=True)
                outcome = run_downstream(
                    told,
                    task_named(file.study.task),
                    store,
                    progress,
                    found,
                    executor=executor,
                    threads=threads,
                    device=_device(device),
                )
                progress.step("intervals and report", True)
                lines, report = write_downstream(outcome, out, command)
    except KeyboardInterrupt:
        raise Stopped("stopped; the same command goes on from the last finished step") from None
    for line in lines:
        typer.echo(line)
    typer.echo(f"report  {report}")


def _device(name: str) -> str:
    """A device that torch has here. Raises BlemishError."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name != "cpu" and not (name.partition(":")[0] == "cuda" and torch.cuda.is_available()):
        raise BlemishError(f"--device: found {name}, which torch does not have here; expected cpu, cuda or auto")
    return name
