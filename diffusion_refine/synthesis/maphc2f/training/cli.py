"""The command `blemish train-generator maphc2f`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from diffusion_refine.synthesis.maphc2f.options import RecipeOption, Wavelet
from diffusion_refine.training.options import (
    DeviceOption,
    EveryOption,
    FormatOption,
    OnlyOption,
    SeedOption,
    ThreadsOption,
)
from scenes.formats.registry import AUTO
from scenes.pictures.options import MOST_MILLIONS, MostPixelsOption, WhiteLevelOption, reading


def train(
    dataset: Annotated[
        Path,
        typer.Argument(help="A labelled set, photographs or renders: pictures with masks of their defects."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the model. A stopped training in it is taken up again.")],
    recipe: RecipeOption = "plate",
    surfaces: Annotated[
        list[Path] | None,
        typer.Option(help="Pictures of good surfaces, or a folder; by default the good ones of the set."),
    ] = None,
    format: FormatOption = AUTO,
    only: OnlyOption = None,
    wavelet: Annotated[Wavelet, typer.Option(help="Of the detail bands.")] = Wavelet.haar,
    steps: Annotated[int, typer.Option(min=1, help="Steps of both networks.")] = 3000,
    batch: Annotated[int, typer.Option(min=1, help="Windows a step.")] = 8,
    size: Annotated[int, typer.Option(min=32, help="Pixels a side of a window, a multiple of 8.")] = 64,
    pairs: Annotated[int, typer.Option(min=1, help="Windows round defects that the recipe draws.")] = 512,
    seed: SeedOption = 0,
    every: EveryOption = 200,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_MILLIONS,
    device: DeviceOption = None,
    threads: ThreadsOption = 1,
) -> None:
    """Train MaPhC2F, which makes a recipe's defects coherent and gives them the fine detail of the set's.

    On your own labelled photographs, or on renders:

        blemish train-generator maphc2f photos/magnetic_tile --recipe magnetic_tile --out out/fine

        blemish synthesize photos/good/*.png --method maphc2f --recipe magnetic_tile --model out/fine --out out/drawn

    Ctrl-C at any moment; the same command goes on from the last checkpoint.
    """
    import torch

    from diffusion_refine.synthesis.maphc2f.physics import Physics
    from diffusion_refine.synthesis.maphc2f.references import references_of
    from diffusion_refine.synthesis.maphc2f.training.both import Settings, train_maphc2f
    from diffusion_refine.synthesis.pasting.chosen import chosen_flawed, chosen_surfaces
    from procgen.errors import BlemishError
    from scenes.jobs.progress import shown
    from scenes.recipes.recipe import load_recipe

    if size % 8:
        raise BlemishError(f"--size: found {size}; expected a multiple of 8, such as 64")
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    options = reading(white_level, most_pixels)
    references = references_of(chosen_flawed(dataset, only, options, format), wavelet, str(dataset))
    pictures = [sample.image() for sample in chosen_surfaces(surfaces or [dataset], None, options, AUTO)]
    settings = Settings(steps=steps, batch=batch, size=size, pairs=pairs, wavelet=wavelet, seed=seed, every=every)
    with shown("stopped; the same command goes on from the last checkpoint") as progress:
        train_maphc2f(pictures, Physics(load_recipe(recipe)), references, out, settings, device, progress)
    typer.echo(
        f"{out} is trained; use it with: blemish synthesize PICTURES --method maphc2f --recipe {shlex.quote(recipe)} "
        f"--model {shlex.quote(str(out))}"
    )
