"""The method `copy-paste`: real defects of a labelled set on other surfaces. Needs no model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffusion_refine.synthesis.pasting.opening import (
    CountOption,
    FormatOption,
    OnlyOption,
    PiecesOption,
    SurfaceOption,
    pasting,
    surfaces_of,
)
from diffusion_refine.synthesis.request import Request
from scenes.formats.registry import AUTO
from scenes.pictures.options import MOST_PHOTO_MILLIONS, MostPixelsOption, WhiteLevelOption, reading

if TYPE_CHECKING:
    from diffusion_refine.synthesis.generator import Synthesis


def synthesis(
    request: Request,
    *,
    defects: Annotated[
        Path | None,
        typer.Option(metavar="SET", help="The labelled set or dataset that defects are taken from; else the input."),
    ] = None,
    defects_only: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The pictures of it to take them from, a sample's name a line. Otherwise the flawed ones of its train "
            "split, or all.",
        ),
    ] = None,
    turns: Annotated[bool, typer.Option(help="Whether defects may be turned by quarters and mirrored.")] = True,
    blend: Annotated[bool, typer.Option(help="Whether a defect takes on the tone of where it is put.")] = True,
    pieces: PiecesOption = 1,
    count: CountOption = 1,
    only: OnlyOption = None,
    recipe: SurfaceOption = "plate",
    format: FormatOption = AUTO,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_PHOTO_MILLIONS,
) -> "Synthesis":
    """Put the defects of a labelled set on other pictures.

    Raises BlemishError where no set of defects is named and pictures or masks that cannot be read; RecipeError.
    """
    from diffusion_refine.synthesis.copy_paste.generator import CopyPasteGenerator, CopyPasteSettings
    from diffusion_refine.synthesis.copy_paste.library import DefectLibrary
    from diffusion_refine.synthesis.pasting.chosen import chosen_flawed, chosen_surfaces
    from procgen.errors import BlemishError

    options = reading(white_level, most_pixels)
    samples = chosen_surfaces(request.inputs, only, options, format)
    if defects is None and not request.inputs[0].is_dir():
        raise BlemishError("copy-paste: photographs have no labelled defects; name a set that has with --defects")
    if defects is None:  # of the pictures that may be learnt from, the flawed ones
        defects, defects_only, defects_format = request.inputs[0], defects_only or only, format
    else:
        defects_format = AUTO
    library = DefectLibrary(defects, chosen_flawed(defects, defects_only, options, defects_format))
    settings = CopyPasteSettings(pieces, turns, blend)
    return pasting(
        "copy-paste",
        request,
        surfaces_of(request, samples, count, recipe),
        library.by_class,
        lambda bits: CopyPasteGenerator(library, settings, bits),
        {"settings": CopyPasteGenerator(library, settings, {}).described(0)["settings"], "defects": library.written()},
    )
