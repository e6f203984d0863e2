"""The method `sard`: defects drawn into masks in four steps, nothing else touched [Wang 2025]."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffusion_refine.synthesis.pasting.opening import (
    CountOption,
    FormatOption,
    OnlyOption,
    SurfaceOption,
    pasting,
    surfaces_of,
)
from diffusion_refine.synthesis.request import Request
from diffusion_refine.synthesis.sard.choosing import MaskPiecesOption, MasksOnlyOption, MasksOption, mask_source
from diffusion_refine.training.options import DeviceOption, ThreadsOption
from scenes.formats.registry import AUTO
from scenes.pictures.options import MOST_PHOTO_MILLIONS, MostPixelsOption, WhiteLevelOption, reading

if TYPE_CHECKING:
    from diffusion_refine.synthesis.generator import Synthesis


def synthesis(
    request: Request,
    *,
    model: Annotated[
        Path | None,
        typer.Option(help="Folder that `blemish train-generator sard` wrote; by default the model that ships."),
    ] = None,
    masks: MasksOption = "random",
    masks_only: MasksOnlyOption = None,
    class_name: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME", help="What to draw, repeatable; by default all that the model knows."),
    ] = None,
    surface: Annotated[
        str | None,
        typer.Option(
            help="Which of the surfaces that the model learnt the pictures show; by default the recipe's finish, or "
            "the only one."
        ),
    ] = None,
    pieces: MaskPiecesOption = 1,
    count: CountOption = 1,
    only: OnlyOption = None,
    recipe: SurfaceOption = "plate",
    format: FormatOption = AUTO,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_PHOTO_MILLIONS,
    device: DeviceOption = None,
    threads: ThreadsOption = 1,
) -> "Synthesis":
    """Draw defects into masks by a trained SARD.

    Raises BlemishError for classes or a surface that the model did not learn; ModelError, RecipeError, PictureError.
    """
    import torch

    from diffusion_refine.synthesis.pasting.chosen import chosen_surfaces
    from diffusion_refine.synthesis.sard.generator import SardGenerator
    from diffusion_refine.synthesis.sard.model import EMBEDDED_FOLDER, load_sard
    from procgen.errors import BlemishError

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    options = reading(white_level, most_pixels)
    folder = model or EMBEDDED_FOLDER
    loaded = load_sard(folder, device)
    chosen_surface = surface or surface_of(loaded.surfaces, recipe)
    if chosen_surface is None:
        raise BlemishError(f"--surface: {folder} learnt {', '.join(loaded.surfaces)}; say which the pictures show")
    for option, found, known in (
        ("--surface", [chosen_surface], loaded.surfaces),
        ("--class", class_name or [], loaded.labels),
    ):
        unknown = [name for name in found if name not in known]
        if unknown:
            raise BlemishError(f"{option}: found {unknown[0]}; {folder} learnt {', '.join(known)}")
    source = mask_source(masks, masks_only, tuple(class_name or loaded.labels), loaded.size, pieces, options)
    samples = chosen_surfaces(request.inputs, only, options, format)
    return pasting(
        "sard",
        request,
        surfaces_of(request, samples, count, recipe),
        source.classes,
        lambda bits: SardGenerator(loaded, source, chosen_surface, bits),
        {"model": loaded.sha256, "surface": chosen_surface, "classes": list(source.classes), **source.written()},
    )


def surface_of(learnt: tuple[str, ...], recipe: str) -> str | None:
    """The only surface that a model learnt, or the finish of what a recipe says the pictures show."""
    from diffusion_refine.prompts.vocabulary import FINISHES
    from scenes.recipes.recipe import load_recipe

    if len(learnt) == 1:
        return learnt[0]
    finish = FINISHES[load_recipe(recipe).finish.kind]
    return finish if finish in learnt else None
