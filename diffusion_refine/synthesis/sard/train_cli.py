"""The command `blemish train-generator sard`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from diffusion_refine.synthesis.sard.readings import Background, Comparison, Contrast
from diffusion_refine.training.options import (
    DeviceOption,
    EveryOption,
    FormatOption,
    HalfOption,
    OnlyOption,
    SeedOption,
    ThreadsOption,
)
from scenes.formats.registry import AUTO
from scenes.pictures.options import MOST_MILLIONS, MostPixelsOption, WhiteLevelOption, reading


def train(
    datasets: Annotated[
        list[Path],
        typer.Argument(
            help="Labelled sets: pictures with masks of their defects, all of one --format.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the model. A stopped training in it is taken up again.")],
    format: FormatOption = AUTO,
    only: OnlyOption = None,
    rcd: Annotated[
        bool, typer.Option("--rcd/--no-rcd", help="Region-constrained diffusion: steps change the mask alone.")
    ] = True,
    dmg: Annotated[
        bool, typer.Option("--dmg/--no-dmg", help="Discriminative mask guidance: a second verdict on the mask alone.")
    ] = True,
    background: Annotated[
        Background, typer.Option(help="What is held outside the mask; literal is equation (6) as it is printed.")
    ] = Background.forward,
    comparison: Annotated[
        Comparison,
        typer.Option(
            help="Whether the discriminator holds a real picture against the one made of it, or judges each by "
            "itself, as the paper does; that takes many more steps before it tells them apart."
        ),
    ] = Comparison.paired,
    penalty: Annotated[
        float,
        typer.Option(
            min=0,
            help="γ of R1, which holds the discriminator's slope down. 1 hides from it what defects of little contrast "
            "look like.",
        ),
    ] = 0.05,
    warm_up: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Share of the steps before the networks answer to each other: for three quarters of it the generator "
            "learns from its error alone, then the discriminator from a generator that stands still. The paper has 0.",
        ),
    ] = 0.2,
    contrast: Annotated[
        Contrast,
        typer.Option(
            help="The unit that windows are drawn in: that of what surrounds the mask, so that noise does not hide "
            "faint defects, or from black to white, as the paper's."
        ),
    ] = Contrast.ground,
    mask_input: Annotated[
        bool, typer.Option(help="Show the mask to the generator; the paper's does not see it.")
    ] = False,
    steps: Annotated[int, typer.Option(min=1, help="Steps of both networks.")] = 20_000,
    batch: Annotated[int, typer.Option(min=2, help="Crops a step.")] = 4,
    size: Annotated[int, typer.Option(min=32, help="Pixels a side of what is drawn at once, a multiple of 16.")] = 64,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="Crops to cut round defects; 32 a picture, at most 8000.")
    ] = None,
    seed: SeedOption = 0,
    every: EveryOption = 200,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_MILLIONS,
    device: DeviceOption = None,
    half: HalfOption = False,
    threads: ThreadsOption = 1,
) -> None:
    """Train SARD, which draws defects into masks in four steps, on pictures with masks.

    On your own labelled photographs, or on renders:

        blemish train-generator sard photos/magnetic_tile --out out/sard

        blemish synthesize photos/good/*.png --method sard --model out/sard --masks random --out out/drawn

    The ablation of the paper: without one of its two parts, or without both, which is a denoising diffusion GAN:

        blemish train-generator sard photos/magnetic_tile --no-rcd --no-dmg --out out/ddgan

    Ctrl-C at any moment; the same command goes on from the last checkpoint.
    """
    import torch

    from diffusion_refine.synthesis.sard.network import NetworkShape
    from diffusion_refine.synthesis.sard.pairs import read_labelled
    from diffusion_refine.synthesis.sard.training import SardSettings, train_sard
    from procgen.errors import BlemishError
    from scenes.jobs.progress import shown

    if size % 16:
        raise BlemishError(f"--size: found {size}; expected a multiple of 16, such as 64")
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    if only and len(datasets) > 1:
        raise BlemishError(f"--only {only}: names pictures of one set, but {len(datasets)} are given; train on one")
    options = reading(white_level, most_pixels)
    pictures = [picture for folder in datasets for picture in read_labelled(folder, only, format, options)]
    settings = SardSettings(
        steps=steps,
        batch=batch,
        regions=rcd,
        mask_guidance=dmg,
        background=background,
        comparison=comparison,
        penalty=penalty,
        warm_up=warm_up,
        pairs=pairs,
        seed=seed,
        every=every,
        half=half,
        network=NetworkShape(size=size, mask_input=mask_input, contrast=contrast),
    )
    with shown("stopped; the same command goes on from the last checkpoint") as progress:
        train_sard(pictures, out, settings, device, progress)
    typer.echo(
        f"{out} is trained; use it with: blemish synthesize PICTURES --method sard --model {shlex.quote(str(out))}"
    )
