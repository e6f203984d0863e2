"""The method `cutpaste`: pieces of a picture pasted elsewhere on it [Li 2021]. Needs neither a model nor defects."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from diffusion_refine.synthesis.pasting.opening import (
    ClassOption,
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


class Kind(StrEnum):
    """What is cut."""

    patch = "patch"
    scar = "scar"
    union = "union"


def synthesis(
    request: Request,
    *,
    kind: Annotated[Kind, typer.Option(help="Large rectangles, thin turned scars, or either.")] = Kind.patch,
    area: Annotated[
        tuple[float, float], typer.Option(metavar="LEAST MOST", help="Of a patch: shares of the picture.")
    ] = (0.02, 0.15),
    scar_width: Annotated[tuple[int, int], typer.Option(metavar="LEAST MOST", help="Pixels.")] = (2, 16),
    scar_length: Annotated[tuple[int, int], typer.Option(metavar="LEAST MOST", help="Pixels.")] = (10, 25),
    jitter: Annotated[
        float, typer.Option(min=0, max=0.5, help="How far brightness, contrast, saturation and hue of a piece change.")
    ] = 0.1,
    pieces: PiecesOption = 1,
    class_name: ClassOption = "cutpaste",
    count: CountOption = 1,
    only: OnlyOption = None,
    recipe: SurfaceOption = "plate",
    format: FormatOption = AUTO,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_PHOTO_MILLIONS,
) -> "Synthesis":
    """Paste pieces of a picture elsewhere on it.

    Raises BlemishError for ranges that are none and pictures that cannot be read; RecipeError.
    """
    from diffusion_refine.synthesis.cutpaste.generator import CutPasteGenerator, CutPasteSettings
    from diffusion_refine.synthesis.pasting.chosen import chosen_surfaces
    from procgen.errors import BlemishError

    ranges = {"--area": (*area, 1.0), "--scar-width": (*scar_width, 1e4), "--scar-length": (*scar_length, 1e4)}
    for option, (least, most, limit) in ranges.items():
        if not 0 < least <= most <= limit:
            raise BlemishError(
                f"{option}: found {least:g} and {most:g}; expected two numbers above 0 and up to {limit:g}, the lesser "
                "first"
            )
    settings = CutPasteSettings(
        kind.value, area, scar_width=scar_width, scar_length=scar_length, jitter=jitter, pieces=pieces,
        class_name=class_name,
    )  # fmt: skip
    samples = chosen_surfaces(request.inputs, only, reading(white_level, most_pixels), format)
    return pasting(
        "cutpaste",
        request,
        surfaces_of(request, samples, count, recipe),
        [class_name],
        lambda bits: CutPasteGenerator(settings, bits),
        {"settings": CutPasteGenerator(settings, {}).described(0)["settings"]},
    )
