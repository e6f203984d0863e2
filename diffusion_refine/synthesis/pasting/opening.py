"""How the methods that paste are opened: their common options, what they work on, and what comes of a request."""

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffusion_refine.synthesis.request import Request
from scenes.formats.registry import AUTO, FORMATS

if TYPE_CHECKING:
    from diffusion_refine.synthesis.generator import Generator, Synthesis
    from diffusion_refine.synthesis.pasting.surfaces import Surfaces
    from scenes.datasets.reader import Dataset
    from scenes.formats.sample import Sample

CountOption = Annotated[
    int, typer.Option(min=1, max=100_000, help="Frames to make of every picture; more of them extend a dataset.")
]
OnlyOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The pictures of a folder to work on, a sample's name a line. Otherwise the good ones of its train split.",
    ),
]
FormatOption = Annotated[
    str, typer.Option(metavar="|".join((AUTO, *FORMATS)), help="How a folder lies; found by itself otherwise.")
]
ClassOption = Annotated[str, typer.Option("--class", metavar="NAME", help="What the class of the defects is called.")]
PiecesOption = Annotated[int, typer.Option(min=1, max=1000, help="Defects to paste on every frame.")]
SurfaceOption = Annotated[
    str,
    typer.Option(
        "--recipe",
        help="A shipped recipe or a YAML file: says what pictures show, to a later refinement. None is drawn.",
    ),
]


def surfaces_of(request: Request, samples: "Sequence[Sample]", count: int, recipe: str) -> "Surfaces":
    """The frames to paste on. Raises BlemishError for a dataset that is not finished."""
    from diffusion_refine.synthesis.pasting.surfaces import ChosenFrames, PictureFrames
    from procgen.errors import BlemishError
    from scenes.datasets.reader import Dataset
    from scenes.formats.blemish import recognises
    from scenes.recipes.recipe import load_recipe

    if request.label_check:
        raise BlemishError("--label-check: what is pasted brings its own mask, there is nothing to check; leave it out")
    folder = request.inputs[0] if request.inputs[0].is_dir() else None
    if folder is None or not recognises(folder):
        return PictureFrames(samples, load_recipe(recipe), count, request.seed, folder)
    dataset = Dataset(folder)
    if not dataset.complete:
        raise BlemishError(
            f"{folder}: has {len(dataset)} of {dataset.header.frames} frames; run the command that began it again to "
            "finish it first"
        )
    return ChosenFrames(dataset, samples, count)


def pasting(
    name: str,
    request: Request,
    surfaces: "Surfaces",
    classes: Iterable[str],
    generator: "Callable[[dict[str, int]], Generator]",
    settings: dict[str, Any],
) -> "Synthesis":
    """A method that pastes defects of some classes. generator: makes it of the bits of all classes.

    Raises BlemishError for a class that is one of impurities already.
    """
    from diffusion_refine.synthesis.generator import Synthesis
    from diffusion_refine.synthesis.pasting.pastes import told_of
    from diffusion_refine.synthesis.pasting.sheet import write_sheet
    from diffusion_refine.synthesis.pasting.surfaces import free_surface
    from procgen.errors import BlemishError

    there = surfaces.families
    for each in classes:
        if there.get(each, "defect") != "defect":
            raise BlemishError(f"{name}: found {each}, which is a class of impurities there; expected one of defects")
        there = there | {each: "defect"}

    def report(made: "Dataset") -> list[str]:
        # The colours of the sheet come with an extra that nothing else here needs.
        sheet = write_sheet(surfaces, made) if find_spec("matplotlib") else None
        return told_of(made) if sheet is None else [*told_of(made), f"look at    {sheet}"]

    recipe = surfaces.recipe.class_families
    beyond = {each: family for each, family in there.items() if each not in recipe}
    bits = {each: bit for bit, each in enumerate([*recipe, *beyond])}
    return Synthesis(
        name,
        "pasting",
        surfaces,
        generator(bits),
        request.seed,
        {"pasted": {"method": name, "on": surfaces.written(), **settings}},
        classes=beyond,
        where=free_surface,
        report=report,
    )
