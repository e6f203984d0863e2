"""The command `blemish train-generator diffusion`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from diffusion_refine.training.options import DeviceOption, EveryOption, HalfOption, SeedOption, ThreadsOption
from scenes.pictures.options import MOST_MILLIONS, MostPixelsOption, WhiteLevelOption

PAINTED = 8.0  # how much more of a painter's loss is of the holes


def train(
    datasets: Annotated[
        list[Path],
        typer.Argument(help="Datasets of Blemish, or folders of photographs with one --caption.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the model. A stopped training in it is taken up again.")],
    start: Annotated[
        str | None,
        typer.Option(
            help="What to go on from: embedded, a folder in diffusers' layout, or a hub id. By default a small model "
            "is trained from nothing; with --lora, embedded is tuned.",
            metavar="embedded|PATH|ID",
        ),
    ] = None,
    lora: Annotated[
        bool,
        typer.Option("--lora", help="Train small additions to the attention (LoRA) in place of all weights."),
    ] = False,
    painter: Annotated[
        bool,
        typer.Option(
            "--painter",
            help="Train one that paints defects into holes of pictures, for --painter of refine; "
            "with --start embedded unless another is named.",
        ),
    ] = False,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the denoiser.")] = 2000,
    autoencoder_steps: Annotated[
        int, typer.Option(min=1, help="Steps of the autoencoder before them; only from nothing.")
    ] = 1000,
    caption: Annotated[
        str | None,
        typer.Option(
            help="What every photograph shows, in the words of a prompt. Datasets of Blemish say it themselves."
        ),
    ] = None,
    crops: Annotated[
        int | None, typer.Option(min=1, help="Pieces to cut from the pictures; 16 a picture, at most 8000.")
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(
            min=32,
            help="Pixels a side of the pieces; half the model's teach most of it at a quarter of the cost.",
            show_default="the model's own",
        ),
    ] = None,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_MILLIONS,
    turns: Annotated[
        bool, typer.Option(help="Mirror the pieces and turn them by quarters; not for surfaces with an upright.")
    ] = True,
    defect_weight: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1000,
            help="How much more of the loss is of what defects cover, for words of defects; of a painter, holes.",
            show_default="0, of a painter 8",
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Pieces a step.")] = 16,
    rank: Annotated[int, typer.Option(min=1, max=256, help="Of the additions.")] = 8,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0, help="Learning rate: 6e-4 from nothing, 5e-5 tuning all, 5e-4 with --lora, 4e-4 of a painter."
        ),
    ] = None,
    size: Annotated[
        int, typer.Option(min=32, help="Pixels a side of a model from nothing, a multiple of 16; another has its own.")
    ] = 128,
    seed: SeedOption = 0,
    every: EveryOption = 100,
    device: DeviceOption = None,
    half: HalfOption = False,
    threads: ThreadsOption = 1,
) -> None:
    """Train a diffusion model for `blemish refine` on your own parts.

    Tune the model that comes with Blemish to your recipe's renders; minutes on a processor:

        blemish render mine.yaml --out data/mine --frames 60

        blemish train-generator diffusion data/mine --lora --steps 300 --out out/mine

        blemish refine data/mine --model out/mine --out data/mine-refined

    With photographs of good parts, so that it learns how these look:

        blemish train-generator diffusion data/mine photos --caption "photo of a good plate" --lora --out out/real

    A model of your own, from nothing; an hour on a processor for 128 pixels:

        blemish train-generator diffusion data/mine data/more --steps 4000 --out out/own

    A painter, which makes other defects of those that are there, each in its place and with a mask of its own:

        blemish train-generator diffusion data/mine data/more --painter --steps 4000 --out out/painter

        blemish refine data/mine --variants 2 --painter out/painter --out data/mine-varied

    Captions are made of the words that you later prompt with: what the masks show, the finish and the part, as in
    "photo of a scratch defect on a milled plate". Ctrl-C at any moment; the same command goes on from there.
    """
    import torch

    from diffusion_refine.core.models import EMBEDDED
    from diffusion_refine.training.diffusion import SCRATCH, DiffusionSettings, TrainingError, train_diffusion
    from diffusion_refine.training.model_shapes import Shape
    from scenes.jobs.progress import shown

    if size % 16:
        raise TrainingError(f"--size: found {size}; expected a multiple of 16, such as 128")
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    settings = DiffusionSettings(
        start=start or (EMBEDDED if lora or painter else SCRATCH),
        lora=lora,
        steps=steps,
        autoencoder_steps=autoencoder_steps,
        batch=batch,
        rank=rank,
        rate=rate,
        crops=crops,
        caption=caption,
        white_level=white_level,
        turns=turns,
        seed=seed,
        every=every,
        half=half,
        shape=Shape(size=size),
        defects=(PAINTED if painter else 0.0) if defect_weight is None else defect_weight,
        painter=painter,
        side=side,
    )
    with shown("stopped; the same command goes on from the last checkpoint") as progress:
        train_diffusion(datasets, out, settings, device, progress, round(most_pixels * 1e6))
    how = "--variants 2 --painter" if painter else "--model"
    typer.echo(f"{out} is trained; use it with: blemish refine DATASET {how} {shlex.quote(str(out))} --out DIR")
