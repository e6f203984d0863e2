"""The options of every command that has an inspector look at pictures."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from anomaly.inspection.computing import Computing

DeviceOption = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    typer.Option(help="What computes: the processor, or an NVIDIA, AMD (both cuda) or Apple (mps) graphics card."),
]
BatchOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="Pictures or tiles of one size that a graphics card computes at once; a processor takes them singly.",
    ),
]
PrecisionOption = Annotated[
    Literal["full", "half"],
    typer.Option(help="Of the backbone on a graphics card; a processor always computes in full precision."),
]
TileOption = Annotated[
    int | None,
    typer.Option(
        min=512,
        metavar="PIXELS",
        help="Look at larger pictures, as they are scaled, in overlapping tiles of that side. By default as the "
        "inspector was trained; where no side was said there, those of more than 6.5 million pixels in tiles of 1280.",
    ),
]
ThreadsOption = Annotated[
    int, typer.Option(min=1, help="Processor threads. More than there are idle cores makes it several times slower.")
]
BATCH = 8


def computing(device: str, batch: int, precision: str, tile: int | None) -> Computing:
    """What the options ask for. Raises DeviceError where there is no such device."""
    if sys.platform == "darwin":  # what Metal cannot, the processor does; torch asks once, when it is imported
        os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    from anomaly.inspection.computing import Computing, device_named

    found = device_named(device)
    return Computing(found, batch, precision == "half" and found != "cpu", tile)
