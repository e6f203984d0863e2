"""The command `blemish train-generator crg-prior`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from diffusion_refine.synthesis.crg.training.options import (
    BatchOption,
    OutOption,
    PatchesOption,
    SizeOption,
    StartOption,
    StepsOption,
    checked,
    ending,
    start_at,
)
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
            help="Sets with labelled defects, all of one --format; their boxes suffice.", show_default=False
        ),
    ],
    out: OutOption,
    format: FormatOption = AUTO,
    only: OnlyOption = None,
    start: StartOption = None,
    steps: StepsOption = 20_000,
    batch: BatchOption = 16,
    size: SizeOption = 32,
    patches: PatchesOption = None,
    seed: SeedOption = 0,
    every: EveryOption = 200,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_MILLIONS,
    device: DeviceOption = None,
    half: HalfOption = False,
    threads: ThreadsOption = 1,
) -> None:
    """Train the half of CRG that knows defects, on patches round their boxes; the other half is crg-context's.

        blemish train-generator crg-prior sets/boards --out out/crg

    A box larger than three quarters of a patch is seen from farther away, in training as in drawing.

    Ctrl-C at any moment; the same command goes on from the last checkpoint.
    """
    import torch

    from diffusion_refine.synthesis.crg.model import CONTEXT
    from diffusion_refine.synthesis.crg.networks import PRIOR
    from diffusion_refine.synthesis.crg.training.denoisers import CrgTrainingSettings, train_prior
    from diffusion_refine.synthesis.crg.training.patches import read_boxed
    from procgen.errors import BlemishError
    from scenes.jobs.progress import shown

    checked("--size", size)
    if only and len(datasets) > 1:
        raise BlemishError(f"--only {only}: names pictures of one set, but {len(datasets)} are given; train on one")
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    options = reading(white_level, most_pixels)
    boxed = [picture for folder in datasets for picture in read_boxed(folder, only, format, options)]
    settings = CrgTrainingSettings(
        replace(PRIOR, size=size),
        steps,
        batch,
        patches=patches,
        seed=seed,
        every=every,
        half=half,
        start=start_at(start),
    )
    with shown("stopped; the same command goes on from the last checkpoint") as progress:
        train_prior(boxed, out, settings, device, progress)
    typer.echo(ending(out, "crg-context PICTURES", CONTEXT.record_in(out).is_file()))
