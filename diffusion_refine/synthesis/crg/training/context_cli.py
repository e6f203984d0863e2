"""The command `blemish train-generator crg-context`."""

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
    pictures: Annotated[
        list[Path],
        typer.Argument(help="Good pictures: files, folders of photographs, labelled sets.", show_default=False),
    ],
    out: OutOption,
    format: FormatOption = AUTO,
    only: OnlyOption = None,
    start: StartOption = None,
    steps: StepsOption = 20_000,
    batch: BatchOption = 8,
    size: SizeOption = 128,
    crop: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="Pixels a side of what it is trained on, a multiple of 16: it looks no farther, and it is quicker.",
        ),
    ] = 64,
    patches: PatchesOption = None,
    seed: SeedOption = 0,
    every: EveryOption = 200,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_MILLIONS,
    device: DeviceOption = None,
    half: HalfOption = False,
    threads: ThreadsOption = 1,
) -> None:
    """Train the half of CRG that knows good pictures; the other half is crg-prior's.

    On your own photographs of good parts, or on renders:

        blemish train-generator crg-context photos/good --out out/crg

        blemish train-generator crg-prior sets/boards --out out/crg

        blemish synthesize photos/good/*.png --method crg --model out/crg --boxes recipe:plate --out out/drawn

    With few pictures, or little time, from the model that ships:

        blemish train-generator crg-context photos/good --start embedded --steps 2000 --out out/crg

    Ctrl-C at any moment; the same command goes on from the last checkpoint.
    """
    import torch

    from diffusion_refine.synthesis.crg.model import PRIOR
    from diffusion_refine.synthesis.crg.networks import CONTEXT
    from diffusion_refine.synthesis.crg.training.denoisers import CrgTrainingSettings, train_context
    from diffusion_refine.synthesis.crg.training.patches import read_good
    from scenes.jobs.progress import shown

    checked("--size", size)
    checked("--crop", crop)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    good = read_good(pictures, only, format, reading(white_level, most_pixels))
    settings = CrgTrainingSettings(
        replace(CONTEXT, size=size),
        steps,
        batch,
        crop=crop,
        patches=patches,
        seed=seed,
        every=every,
        half=half,
        start=start_at(start),
    )
    with shown("stopped; the same command goes on from the last checkpoint") as progress:
        train_context(good, out, settings, device, progress)
    typer.echo(ending(out, "crg-prior DATASET", PRIOR.record_in(out).is_file()))
