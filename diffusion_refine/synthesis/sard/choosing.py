"""Masks to draw defects into, as commands name them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from diffusion_refine.synthesis.sard.masks import MaskSource
    from scenes.pictures.reading import ReadingOptions

RECIPE = "recipe:"
MasksOption = Annotated[
    str,
    typer.Option(
        metavar="random|recipe:R|SET",
        help="Where defects lie and how they are shaped: thresholded noise, the physics of a recipe on the "
        "picture, or masks of a labelled set, mirrored, turned and stretched.",
    ),
]
MasksOnlyOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The pictures of that set to take masks from, a sample's name a line."),
]
MaskPiecesOption = Annotated[int, typer.Option(min=1, max=1000, help="Defects a frame; a recipe says it itself.")]


def mask_source(
    asked: str,
    only: Path | None,
    wanted: tuple[str, ...],
    side: int,
    pieces: int,
    options: "ReadingOptions",
) -> "MaskSource":
    """What --masks names. side: of the windows of random masks, pixels.

    Raises BlemishError where it holds none of the wanted classes.
    """
    from diffusion_refine.synthesis.copy_paste.library import DefectLibrary
    from diffusion_refine.synthesis.pasting.chosen import chosen_flawed
    from diffusion_refine.synthesis.sard.masks import LibraryMasks, RandomMasks, RecipeMasks
    from procgen.errors import BlemishError
    from scenes.recipes.recipe import load_recipe

    if asked == "random":
        return RandomMasks(wanted, side, pieces)
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
