"""The command `blemish export`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from procgen.errors import BlemishError

if TYPE_CHECKING:
    from anomaly.inspection.tiles import Size


class ExportError(BlemishError):
    """An export that cannot be made as it was asked for."""


def register(app: typer.Typer) -> None:
    """Mount this module's commands."""
    app.command()(export)


def export(
    inspector: Annotated[
        Path, typer.Argument(help="Folder of an inspector that `blemish train` made.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="The file to write: NAME.onnx, NAME.xml of OpenVINO or NAME.pt2 of torch.")],
    format: Annotated[
        Literal["onnx", "openvino", "torch"], typer.Option(help="What it is written as; see below who runs it.")
    ] = "onnx",
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTHxHEIGHT",
            help="Of the pictures that will come, in pixels. By default that on which --look of `train` was drawn, or "
            "of which the inspector knows the size of a pixel.",
        ),
    ] = None,
    half: Annotated[
        bool,
        typer.Option(
            "--half",
            help="The backbone in half precision: half the file, and faster on graphics cards. What decides stays in "
            "single precision.",
        ),
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
) -> None:
    """Write an inspector as one file that runs without Blemish: a picture in; map, score and verdict out.

        blemish export out/careful --size 2448x2050 --out out/careful.onnx

        blemish export out/careful --size 2448x2050 --format openvino --half --out out/careful.xml

    Formats: onnx for ONNX Runtime, TensorRT, Windows ML and most else; openvino for Intel's processors and graphics, a
    file .xml with its .bin; torch for PyTorch in Python or C++ (torch.export).

    The input `picture` is RGB as a camera gives it, (height, width, 3) of 8 bits; scaling, normalisation, regions and
    threshold are within. The outputs are `anomaly_map` (height, width), `score`, its highest value, and `is_flawed`.
    The file holds, as JSON under the key `blemish`, the threshold and how it was found, the picture's size and what the
    backbone is; docs/inspectors.md has ten lines of Python that run it. After writing, the file is run on a picture of
    noise and compared with the inspector itself.
    """
    import torch

    from anomaly.deployment.answering_model import AnsweringModel, described
    from anomaly.deployment.check import largest_difference
    from anomaly.deployment.formats import FORMATS
    from anomaly.inspection.inspector import Inspector

    torch.set_num_threads(threads)
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
