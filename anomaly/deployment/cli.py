"""What the command `blemish export` does with an inspector."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from procgen.errors import BlemishError

if TYPE_CHECKING:
    from anomaly.inspection.tiles import Size


class ExportError(BlemishError):
    """An export that cannot be made as it was asked for."""


def export(
    inspector: Path,
    out: Path,
    format: str | None = None,
    *,
    size: str | None = None,
    half: bool = False,
    threads: int = 1,
) -> None:
    """Write the inspector of a folder as a file of a format of FORMATS, onnx where none is said.

    size: WIDTHxHEIGHT of the pictures that will come. Raises ExportError, InspectorError.
    """
    import torch

    from anomaly.deployment.answering_model import AnsweringModel, described
    from anomaly.deployment.check import largest_difference
    from anomaly.deployment.formats import FORMATS
    from anomaly.inspection.inspector import Inspector

    torch.set_num_threads(threads)
    format = format or "onnx"
    if format not in FORMATS:
        raise ExportError(
            f"{inspector}: is an inspector, which is exported as {', '.join(FORMATS)}; found --format {format}"
        )
    chosen = FORMATS[format]
    if out.suffix != chosen.ending:
        raise ExportError(f"{out}: expected a name that ends in {chosen.ending}, for --format {format}")
    loaded = Inspector.load(inspector)
    model = AnsweringModel(loaded, None if size is None else size_from(size), half)
    description = described(loaded, model)
    out.parent.mkdir(parents=True, exist_ok=True)
    chosen.write(model, description, out)
    difference, score = largest_difference(loaded, chosen, out, model.size)
    height, width = model.size
    typer.echo(f"picture   {width} x {height} pixels, RGB of 8 bits")
    typer.echo(f"threshold {model.threshold:.4g}: {description['threshold_origin']}")
    typer.echo(f"check     its map of noise is the inspector's within {difference:.2g} of {score:.4g}")
    for path in chosen.files(out):
        typer.echo(f"written   {path}, {path.stat().st_size / 1e6:.1f} MB")


def size_from(written: str) -> Size:
    """Height and width of WIDTHxHEIGHT. Raises ExportError for anything else."""
    found = re.fullmatch(r"(\d{1,6})[x×](\d{1,6})", written.strip().lower())
    if found is None or "0" in (found[1], found[2]):
        raise ExportError(f"--size {written}: expected width and height in pixels, as 2448x2050")
    return int(found[2]), int(found[1])
