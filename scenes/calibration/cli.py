"""What `blemish calibrate` says while it fits, and what came of it; the command hands in what renders and describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import typer

from scenes.calibration.calibrating import Plan
from scenes.calibration.defects.fitting import Labelled
from scenes.calibration.measuring import Renderer
from scenes.calibration.parameters import Parameter
from scenes.calibration.photographs import Features
from scenes.calibration.record import at_bounds, parameter_rows, quantities_of, undetermined
from scenes.calibration.run import SHEET, fit_recipe
from scenes.jobs.progress import shown
from scenes.quantities.distribution import parse
from scenes.recipes.recipe import Recipe

STOPPED = "stopped; what is rendered is kept, and the same command goes on from there"
ALONE = "the extra anomaly is not installed: statistics alone judge, without features"


def fit(
    recipe: str,
    real: Path,
    out: Path,
    *,
    renderer: Callable[[Recipe, Callable[[str], None]], Renderer],
    features: Features | None,
    sizes: Mapping[str, int],
    samples: int,
    labelled: Labelled | None,
) -> None:
    """Fit, and print what was free, what moved and how far the result lies from the photographs."""
    if features is None:
        _say(ALONE)
    with shown(STOPPED) as progress:
        found = fit_recipe(
            recipe,
            real,
            out,
            lambda wanted: renderer(wanted, _say),
            features,
            Plan(**sizes),
            samples,
            progress,
            on_free=_tell_free,
            labelled=labelled,
        )
    for row in parameter_rows(found.calibration):
        if row["moved"] != "stays":
            typer.echo(f"fitted    {row['path']}: {parse(row['before'])} is now {parse(row['after'])}, {row['moved']}")
    for path, why in at_bounds(found.calibration).items():
        typer.echo(f"bound     {path}: {why}")
    for path, why in undetermined(found.calibration.recipe, found.calibration).items():
        typer.echo(f"stays     {path}: {why}")
    if found.defects:
        for path, quantity in quantities_of(found.calibration, found.defects).items():
            if path.startswith("defects."):
                typer.echo(f"fitted    {path}: is now {quantity}")
        for name, why in found.defects.stays.items():
            typer.echo(f"stays     {name}: {why}")
    typer.echo(f"verdict   {found.calibration.verdict}")
    typer.echo(f"recipe    {out}")
    typer.echo(f"page      {found.page}")
    typer.echo(f"sheet     {found.page.with_name(SHEET)}; look at it before you use the recipe")


def _tell_free(parameters: list[Parameter], marked: bool) -> None:
    _say("the recipe marks as free:" if marked else "the recipe marks nothing under calibrate; free are by default:")
    for parameter in parameters:
        _say(f"  {parameter.path}: [{parameter.low:g}, {parameter.high:g}]")


def _say(sentence: str) -> None:
    typer.echo(f"blemish: {sentence}", err=True)
