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
from diffusion_refine.training.options import DeviceOption, ThreadsOption
from scenes.formats.registry import AUTO
from scenes.pictures.options import MOST_PHOTO_MILLIONS, MostPixelsOption, WhiteLevelOption, reading

if TYPE_CHECKING:
    from diffusion_refine.synthesis.generator import Synthesis
    from diffusion_refine.synthesis.sard.masks import MaskSource
    from diffusion_refine.synthesis.sard.model import SardModel
    from scenes.pictures.reading import ReadingOptions

RECIPE = "recipe:"


def synthesis(
    request: Request,
    *,
    model: Annotated[
        Path | None,
        typer.Option(help="Folder that `blemish train-generator sard` wrote; by default the model that ships."),
    ] = None,
    masks: Annotated[
        str,
        typer.Option(
            metavar="random|recipe:R|SET",
            help="Where defects lie and how they are shaped: thresholded noise, the physics of a recipe on the "
            "picture, or masks of a labelled set, mirrored, turned and stretched.",
        ),
    ] = "random",
    masks_only: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The pictures of that set to take masks from, a sample's name a line."),
    ] = None,
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
    pieces: Annotated[int, typer.Option(min=1, max=1000, help="Defects a frame; a recipe says it itself.")] = 1,
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
    source = _masks(masks, masks_only, tuple(class_name or loaded.labels), loaded, pieces, options)
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


def _masks(
    asked: str,
    only: Path | None,
    wanted: tuple[str, ...],
    model: "SardModel",
    pieces: int,
    options: "ReadingOptions",
) -> "MaskSource":
    """What --masks names. Raises BlemishError where it holds none of the wanted classes."""
    from diffusion_refine.synthesis.copy_paste.library import DefectLibrary
    from diffusion_refine.synthesis.pasting.chosen import chosen_flawed
    from diffusion_refine.synthesis.sard.masks import LibraryMasks, RandomMasks, RecipeMasks
    from procgen.errors import BlemishError
    from scenes.recipes.recipe import load_recipe

    if asked == "random":
        return RandomMasks(wanted, model.size, pieces)
    if asked.startswith(RECIPE):
        loaded = load_recipe(asked.removeprefix(RECIPE))
        there = tuple(name for name, family in loaded.class_families.items() if family == "defect")
    else:
        folder = Path(asked)
        library = DefectLibrary(folder, chosen_flawed(folder, only, options))
        there = tuple(library.by_class)
    classes = tuple(name for name in wanted if name in there)
    if not classes:
        raise BlemishError(f"--masks {asked}: has {', '.join(there)}; expected one of {', '.join(wanted)}")
    return RecipeMasks(loaded, classes) if asked.startswith(RECIPE) else LibraryMasks(library, classes, pieces)
