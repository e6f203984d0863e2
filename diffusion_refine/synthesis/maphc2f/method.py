"""The method `maphc2f`: a recipe's physics on pictures, made coherent, then fine [Qian 2025]."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffusion_refine.synthesis.maphc2f.options import RecipeOption, Stages, Wavelet
from diffusion_refine.synthesis.pasting.opening import CountOption, FormatOption, OnlyOption, pasting, surfaces_of
from diffusion_refine.synthesis.request import Request
from diffusion_refine.training.options import DeviceOption, ThreadsOption
from scenes.formats.registry import AUTO
from scenes.pictures.options import MOST_PHOTO_MILLIONS, MostPixelsOption, WhiteLevelOption, reading

if TYPE_CHECKING:
    from diffusion_refine.synthesis.generator import Synthesis
    from diffusion_refine.synthesis.maphc2f.model import Model


def synthesis(
    request: Request,
    *,
    recipe: RecipeOption = "plate",
    class_name: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME", help="What to draw, repeatable; by default all defects of the recipe."),
    ] = None,
    stages: Annotated[
        Stages | None,
        typer.Option(
            help="How far defects are worked out: by default fine, with --solver without --references coarse; physics "
            "leaves them as the recipe draws them.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Folder that `blemish train-generator maphc2f` wrote; by default the model that ships."),
    ] = None,
    solver: Annotated[
        bool,
        typer.Option("--solver", help="No model: energies are minimised, and every band has one gain of its own."),
    ] = False,
    references: Annotated[
        Path | None,
        typer.Option(
            metavar="SET", help="A labelled set of real or rendered defects whose fine detail those drawn are to have."
        ),
    ] = None,
    references_only: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The pictures of that set to take, a sample's name a line."),
    ] = None,
    mm_per_pixel: Annotated[
        float | None,
        typer.Option(min=1e-6, max=1e3, help="Scale of the pictures; otherwise they are as wide as the recipe's view."),
    ] = None,
    wavelet: Annotated[Wavelet | None, typer.Option(help="haar, or that of the model.", show_default=False)] = None,
    count: CountOption = 1,
    only: OnlyOption = None,
    format: FormatOption = AUTO,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_PHOTO_MILLIONS,
    device: DeviceOption = None,
    threads: ThreadsOption = 1,
) -> "Synthesis":
    """Draw a recipe's defects, coherent and in fine detail.

    Raises BlemishError for a fine stage without model and references, and for a class that the recipe has not;
    ModelError, RecipeError, PictureError.
    """
    import torch

    from diffusion_refine.synthesis.maphc2f.generator import MaPhC2FGenerator
    from diffusion_refine.synthesis.maphc2f.physics import Physics
    from diffusion_refine.synthesis.maphc2f.references import references_of
    from diffusion_refine.synthesis.pasting.chosen import chosen_flawed, chosen_surfaces, digest_of
    from procgen.errors import BlemishError
    from scenes.recipes.recipe import load_recipe

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    if solver and model is not None:
        raise BlemishError(f"--solver: asks no model, but --model {model} is given; leave one of them out")
    learnt = None if solver or stages is Stages.physics else _loaded(model, device)
    asked = stages or (Stages.coarse if learnt is None and references is None else Stages.fine)
    if learnt is not None and wavelet not in (None, learnt.wavelet):
        raise BlemishError(
            f"--wavelet {wavelet}: {model or 'the model that ships'} learnt with {learnt.wavelet}; leave it out, or "
            "give --solver"
        )
    used = wavelet or (learnt.wavelet if learnt else Wavelet.haar)
    options = reading(white_level, most_pixels)
    physics = Physics(load_recipe(recipe), class_name or (), None if mm_per_pixel is None else mm_per_pixel / 1e3)
    like, told = (learnt.references if learnt else None), {}
    if references is not None:
        flawed = chosen_flawed(references, references_only, options)
        like = references_of(flawed, used, str(references))
        told = {"references": {"set": references.resolve().name, **digest_of(flawed)}}
    if asked is Stages.fine and like is None:
        raise BlemishError(
            "--stages fine: has nothing to be like; give a labelled set with --references, or no --solver"
        )
    samples = chosen_surfaces(request.inputs, only, options, format)
    return pasting(
        "maphc2f",
        request,
        surfaces_of(request, samples, count, recipe),
        physics.classes,
        lambda bits: MaPhC2FGenerator(physics, asked, used, learnt, like, bits),
        {
            "stages": asked.value,
            "wavelet": used.value,
            "model": learnt.sha256 if learnt else None,
            "recipe": physics.recipe.name,
            "classes": list(physics.classes),
            **({} if physics.scale is None else {"metres_per_pixel": physics.scale}),
            **told,
        },
    )


def _loaded(folder: Path | None, device: str | None) -> "Model":
    """A model, or the one that ships. What reads models takes seconds to import, and the solver asks none."""
    from diffusion_refine.synthesis.maphc2f.model import EMBEDDED_FOLDER, load_model

    return load_model(folder or EMBEDDED_FOLDER, device)
