"""The command `blemish weigh`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procgen.errors import BlemishError
from scenes.formats.registry import AUTO, FORMATS

if TYPE_CHECKING:
    from scenes.formats.sample import Sample


def register(app: typer.Typer) -> None:
    """Mount this module's command."""
    app.command()(weigh)


def weigh(
    dataset: Annotated[
        Path, typer.Argument(help="A dataset that Blemish made, of renders or synthetic defects.", show_default=False)
    ],
    validation: Annotated[
        Path, typer.Option(help="A labelled set, real or another dataset: what a detector shall do well on.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the dataset with weights. A stopped run is taken up again.")],
    keep: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Share of the frames with defects to keep, the best.")
    ] = 1.0,
    validation_only: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The pictures of that set to take, a sample's name a line."),
    ] = None,
    format: Annotated[
        str, typer.Option(metavar="|".join((AUTO, *FORMATS)), help="How that set lies; found by itself otherwise.")
    ] = AUTO,
    temperature: Annotated[float, typer.Option(min=0.01, help="The higher, the more alike the weights.")] = 0.25,
    steps: Annotated[int, typer.Option(min=1, help="Steps in which the estimator learns.")] = 200,
    batch: Annotated[int, typer.Option(min=2, help="Windows a step, of either set.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it: same seed, same bytes.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
) -> None:
    """Say of every synthetic frame what it shall count for in training, or keep the best only.

    A small network looks at each defect, its surroundings and its mask; it learns to weigh them so that a detector
    trained with these weights does well on the validation set:

        blemish weigh out/drawn --validation sets/tiles --validation-only train.txt --out out/weighed

        blemish weigh out/drawn --validation out/test --keep 0.5 --out out/best

    Studies count each picture by its weight. Pictures that judge must not be among those of --validation.
    """
    import torch

    from anomaly.weighting.learning import Settings
    from anomaly.weighting.weigh import weigh as carried_out
    from scenes.formats.registry import read_samples
    from scenes.jobs.progress import shown

    torch.set_num_threads(threads)
    samples = read_samples(validation, format)
    if validation_only is not None:
        samples = named(samples, validation_only)
    settings = Settings(steps=steps, batch=batch, temperature=temperature, seed=seed)
    with shown("stopped; the same command begins to learn anew, and keeps the frames that are written") as progress:
        found = carried_out(
            dataset, samples, out, settings, keep=keep, validation_name=validation.resolve().name, progress=progress
        )
    flawed = found.weights[(found.qualities == found.qualities) & (found.weights > 0)]
    typer.echo(f"frames     {len(found.frames)} of {len(found.weights)}, {len(flawed)} with defects")
    typer.echo(f"weights    {flawed.min():.2f} to {flawed.max():.2f} of frames with defects, 1 of all others")
    typer.echo(f"written    {out}")


def named(samples: list[Sample], only: Path) -> list[Sample]:
    """Those that the lines of a file name. Raises BlemishError for a name of none, and for no name."""
    try:
        lines = only.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BlemishError(f"{only}: cannot be read ({error}); give a text file with a sample's name a line") from None
    wanted = {line.strip() for line in lines} - {""}
    unknown = sorted(wanted - {sample.name for sample in samples})
    if unknown or not wanted:
        raise BlemishError(
            f"{only}: names {unknown[0] if unknown else 'nothing'}; expected samples such as {samples[0].name}, one a "
            "line"
        )
    return [sample for sample in samples if sample.name in wanted]
