"""The method `procedural`: a recipe's layers take the light of a photograph. Needs neither torch nor a model."""

import math
from typing import TYPE_CHECKING, Annotated

import typer

from diffusion_refine.synthesis.request import Request
from scenes.pictures.options import MOST_PHOTO_MILLIONS, MostPixelsOption, WhiteLevelOption, reading

if TYPE_CHECKING:
    from diffusion_refine.synthesis.generator import Synthesis
    from diffusion_refine.synthesis.procedural.photograph_frames import PhotographFrames

GLOSS = 0.2  # share of the picture that is mirrored in the surface, where nobody says otherwise


def synthesis(
    request: Request,
    *,
    recipe: Annotated[str, typer.Option(help="A shipped recipe's name or a YAML file.")],
    count: Annotated[int, typer.Option(min=1, max=100_000, help="Frames to make of every photo.")] = 1,
    one_class: Annotated[
        bool,
        typer.Option(
            "--one-class",
            help="Keep of each frame's defects those of one class, drawn at random: to teach a classifier by.",
        ),
    ] = False,
    mm_per_pixel: Annotated[
        float | None,
        typer.Option(min=1e-6, max=1e3, help="Scale of the photos; otherwise they are as wide as the recipe's view."),
    ] = None,
    light: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="AZIMUTH ELEVATION",
            help="Where the photos' light stands, degrees: 0 0 is flat from the right, 90 30 from above at 30 degrees; "
            "otherwise the recipe's light.",
        ),
    ] = None,
    ambient: Annotated[
        float, typer.Option(min=0, max=1, help="With --light: the share that comes from all round.")
    ] = 0.3,
    gloss: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the picture that is mirrored, not scattered, light.")
    ] = GLOSS,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_PHOTO_MILLIONS,
) -> "Synthesis":
    """Put a recipe's defects and impurities on photographs of good surfaces.

    Raises BlemishError where a check of labels is asked for; PictureError, RecipeError.
    """
    from diffusion_refine.synthesis.pasting.chosen import photographs_of
    from diffusion_refine.synthesis.procedural.photograph_frames import PhotographFrames
    from procgen.errors import BlemishError
    from scenes.recipes.on_photographs import Lamp
    from scenes.recipes.recipe import load_recipe

    if request.label_check:
        raise BlemishError(
            "--label-check: procedural draws masks and defects as one, there is nothing to check; leave it out"
        )
    lamp = None if light is None else Lamp(math.radians(light[0]), math.radians(light[1]), ambient)
    scale = None if mm_per_pixel is None else mm_per_pixel / 1e3
    options = reading(white_level, most_pixels)
    source = PhotographFrames(
        photographs_of(request.inputs, options),
        load_recipe(recipe),
        count,
        request.seed,
        scale=scale,
        lamp=lamp,
        one_class=one_class,
        options=options,
    )
    return procedural_synthesis(source, gloss)


def procedural_synthesis(source: "PhotographFrames", gloss: float = GLOSS) -> "Synthesis":
    """The layers of every scene of a source on its photograph. gloss: share of the picture that is mirrored light."""
    from diffusion_refine.synthesis.generator import Synthesis
    from diffusion_refine.synthesis.procedural.generator import ProceduralGenerator

    settings = {**source.written(), "gloss": gloss}
    return Synthesis("procedural", "drawing", source, ProceduralGenerator(gloss), source.seed, settings)
