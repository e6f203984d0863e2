"""The method `draem`: foreign textures in the shape of noise [Zavrtanik 2021]. Needs neither a model nor defects."""

from typing import TYPE_CHECKING, Annotated

import typer

from diffusion_refine.synthesis.pasting.opening import (
    ClassOption,
    CountOption,
    FormatOption,
    OnlyOption,
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
    threshold: Annotated[
        float, typer.Option(min=-0.9, max=0.9, help="Of the noise: the lower, the more of a frame is covered.")
    ] = 0.5,
    opacity: Annotated[
        tuple[float, float], typer.Option(metavar="LEAST MOST", help="Of the texture: 1 hides the surface.")
    ] = (0.1, 1.0),
    class_name: ClassOption = "draem",
    count: CountOption = 1,
    only: OnlyOption = None,
    recipe: SurfaceOption = "plate",
    format: FormatOption = AUTO,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_PHOTO_MILLIONS,
) -> "Synthesis":
    """Lay foreign textures over pictures, in the shape of noise.

    Raises BlemishError for a range that is none and pictures that cannot be read; RecipeError.
    """
    from diffusion_refine.synthesis.draem.generator import DraemGenerator, DraemSettings
    from diffusion_refine.synthesis.pasting.chosen import chosen_surfaces
    from procgen.errors import BlemishError

    if not 0 < opacity[0] <= opacity[1] <= 1:
        raise BlemishError(
            f"--opacity: found {opacity[0]:g} and {opacity[1]:g}; expected two numbers above 0 and up to 1, the lesser "
            "first"
        )
    settings = DraemSettings(threshold, opacity, class_name)
    samples = chosen_surfaces(request.inputs, only, reading(white_level, most_pixels), format)
    return pasting(
        "draem",
        request,
        surfaces_of(request, samples, count, recipe),
        [class_name],
        lambda bits: DraemGenerator(settings, bits),
        {"settings": DraemGenerator(settings, {}).described(0)["settings"]},
    )
