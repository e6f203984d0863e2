"""What the commands that train CRG's networks have in common: options, and how they end. No torch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from procgen.errors import BlemishError

OutOption = Annotated[
    Path, typer.Option(help="The model's folder, of both its networks. A stopped training in it is taken up again.")
]
StartOption = Annotated[
    str | None,
    typer.Option(
        metavar="embedded|PATH",
        help="A model to go on from, of the same --size: the one that ships, or a folder; far fewer steps are enough.",
        show_default="none",
    ),
]
StepsOption = Annotated[int, typer.Option(min=1, help="Steps of the network.")]
BatchOption = Annotated[int, typer.Option(min=1, help="Crops a step.")]
SizeOption = Annotated[int, typer.Option(min=16, help="Pixels a side of what it sees, a multiple of 16.")]
PatchesOption = Annotated[int | None, typer.Option(min=1, help="Crops to learn from; 32 a picture, at most 8000.")]


def start_at(start: str | None) -> Path | None:
    """The folder that a start names."""
    if start is None:
        return None
    from diffusion_refine.core.models import EMBEDDED
    from diffusion_refine.synthesis.crg.model import EMBEDDED_FOLDER

    return EMBEDDED_FOLDER if start == EMBEDDED else Path(start)


def checked(option: str, side: int | None) -> None:
    """Raises BlemishError for a side that networks cannot halve often enough."""
    if side is not None and side % 16:
        raise BlemishError(f"{option}: found {side}; expected a multiple of 16, such as 64")


def ending(out: Path, other: str, there: bool) -> str:
    """What is to be done with a network that is trained; other: the network that a model has beside it."""
    if there:
        use = f"blemish synthesize PICTURES --method crg --model {shlex.quote(str(out))} --boxes BOXES"
        return f"{out} is trained; use it with: {use}"
    return f"{out} is trained; its other half comes of: blemish train-generator {other} --out {shlex.quote(str(out))}"
