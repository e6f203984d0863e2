"""Options that commands which train networks, or draw with them, have in common. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenes.formats.registry import FORMATS

FormatOption = Annotated[
    str, typer.Option(help=f"How the folders are laid out: {', '.join(FORMATS)}; auto looks for itself.")
]
OnlyOption = Annotated[
    Path | None,
    typer.Option(help="A text file with the names of the pictures that may be learnt from, a line each.", exists=True),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Everything random follows from it: same seed, same bytes.")]
EveryOption = Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu or cuda; cuda where there is one.")]
HalfOption = Annotated[bool, typer.Option("--half", help="Train in bfloat16 where it suffices: for new cards.")]
ThreadsOption = Annotated[
    int, typer.Option(min=1, help="Processor threads. More than there are idle cores makes it much slower.")
]
