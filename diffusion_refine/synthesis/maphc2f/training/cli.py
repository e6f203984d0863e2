"""The command `blemish train-generator maphc2f`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from diffusion_refine.synthesis.maphc2f.options import Wavelet
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

Given = TypeVar("Given")


def train(
    datasets: Annotated[
        list[Path],
        typer.Argument(
            help="Labelled sets, photographs or renders: pictures with masks of their defects.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the model. A stopped training in it is taken up again.")],
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="A shipped recipe or a YAML file whose defects are drawn, plate by default; of several sets one for "
            "all, or once for each.",
            show_default=False,
        ),
    ] = None,
    surfaces: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder with good surfaces, once for each set, or pictures of one set; by default the set's own."
        ),
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

    From several, each with its own physics:

        blemish train-generator maphc2f photos/tiles out/strip --recipe magnetic_tile --recipe hot_strip --out out/both

    Ctrl-C at any moment; the same command goes on from the last checkpoint.
    """
    import torch

    from diffusion_refine.synthesis.maphc2f.physics import Physics
    from diffusion_refine.synthesis.maphc2f.references import merged, references_of
    from diffusion_refine.synthesis.maphc2f.training.both import Ground, Settings, train_maphc2f
    from diffusion_refine.synthesis.pasting.chosen import chosen_flawed, chosen_surfaces
    from procgen.errors import BlemishError
    from scenes.jobs.progress import shown
    from scenes.recipes.recipe import load_recipe

    if size % 8:
        raise BlemishError(f"--size: found {size}; expected a multiple of 8, such as 64")
    recipes = _for_each(recipe or ["plate"], len(datasets), "--recipe")
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    options = reading(white_level, most_pixels)
    references = merged(
        references_of(chosen_flawed(each, only, options, format), wavelet, str(each)) for each in datasets
    )
    where = [[each] for each in datasets]
    if surfaces:
        where = (
            [surfaces] if len(datasets) == 1 else [[each] for each in _for_each(surfaces, len(datasets), "--surfaces")]
        )
    grounds = [
        Ground([sample.image() for sample in chosen_surfaces(folder, None, options, AUTO)], Physics(load_recipe(each)))
        for folder, each in zip(where, recipes, strict=True)
    ]
    settings = Settings(steps=steps, batch=batch, size=size, pairs=pairs, wavelet=wavelet, seed=seed, every=every)
    with shown("stopped; the same command goes on from the last checkpoint") as progress:
        train_maphc2f(grounds, references, out, settings, device, progress)
    typer.echo(
        f"{out} is trained; use it with: blemish synthesize PICTURES --method maphc2f --recipe "
        f"{shlex.quote(recipes[0])} --model {shlex.quote(str(out))}"
    )


def _for_each(given: list[Given], sets: int, option: str) -> list[Given]:
    """One for each set, of which one is given, or as many. Raises BlemishError for another number."""
    from procgen.errors import BlemishError

    if len(given) not in (1, sets):
        raise BlemishError(f"{option}: given {len(given)} times for {sets} sets; expected once, or once for each set")
    return given * (sets // len(given))
