"""The command `blemish refine`."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Method(StrEnum):
    """How a word swap keeps to the picture it changes; see `diffusion_refine.inversion.methods`."""

    direct = "direct"
    null = "null"
    negative_prompt = "negative-prompt"


def register(app: typer.Typer) -> None:
    """Mount this module's command."""
    app.command()(refine)


def refine(
    dataset: Annotated[
        Path, typer.Argument(help="Folder that `blemish render` or `synthesize` wrote.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder for the refined dataset. A stopped run in it is taken up again.")],
    model: Annotated[
        str,
        typer.Option(
            metavar="embedded|PATH|ID",
            help="The one that comes with Blemish, a folder in diffusers' layout, or a hub id of SD 1.x, 2.x or XL.",
        ),
    ] = "embedded",
    realism: Annotated[
        float,
        typer.Option(min=0, max=1, help="How far defects may go from the render: share of the noise that they get."),
    ] = 0.25,
    background: Annotated[
        float,
        typer.Option(min=0, max=1, help="Likewise for all the rest; 0 leaves its pixels as they are, bit for bit."),
    ] = 0.0,
    variants: Annotated[
        int, typer.Option(min=0, help="Frames more for every one with a defect, in which it is of another kind.")
    ] = 0,
    word: Annotated[
        list[str] | None,
        typer.Option(help="What a defect may become; repeatable. By default all that befalls the material."),
    ] = None,
    method: Annotated[Method, typer.Option(help="How those swaps keep to the picture.")] = Method.direct,
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Of the whole noise schedule.")] = 50,
    guidance: Annotated[
        float, typer.Option(min=1, help="How strongly the words count in refinement; swaps have the model's usual.")
    ] = 2.0,
    rli: Annotated[
        float, typer.Option("--rli", min=0, max=1, help="Residual interpolation in self-attention, alpha.")
    ] = 0.1,
    band: Annotated[int, typer.Option(min=0, help="Pixels around a mask over which a change fades out.")] = 3,
    visible: Annotated[
        float, typer.Option(min=0, help="Label check: share of its visibility that a defect must keep.")
    ] = 0.5,
    in_place: Annotated[
        float, typer.Option(min=0, help="Label check: share of its fit to the mask that it must keep.")
    ] = 0.7,
    stray: Annotated[
        float, typer.Option(min=0, help="Label check: how far new things beside it may stand out, over the defect.")
    ] = 0.8,
    spill: Annotated[
        float, typer.Option(min=0, help="Label check: how far the pixels next to the mask may follow the defect.")
    ] = 0.4,
    swap: Annotated[
        float, typer.Option(min=0, help="Label check of variants: share of its contrast that a defect must change by.")
    ] = 0.5,
    attempts: Annotated[int, typer.Option(min=1, help="Tries before a defect is left as it was rendered.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it: same seed, same bytes.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; cuda where there is one.")] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Processor threads. More than there are idle cores makes it much slower.")
    ] = 1,
) -> None:
    """Make the defects of a dataset look more real, and multiply them; every mask stays true.

    The same frames with the same masks, their defects denoised anew by a diffusion model:

        blemish refine out/test --out out/refined

    Beside each frame three more, in which a crack is a scratch, a dent, a hole, in the same mask:

        blemish refine out/test --out out/many --variants 3

    Real photographs of good parts, with drawn defects that shall look real (synthesize, then refine):

        blemish synthesize photos/*.png --recipe magnetic_tile --out out/drawn

        blemish refine out/drawn --out out/real-looking

    The embedded model has seen renders alone. To bring renders nearer to your own parts, first tune it on photographs
    of good ones, then let it at the background too:

        blemish train-generator diffusion photos --caption "photo of a good tile" --start embedded --out out/tuned

        blemish refine out/test --model out/tuned --background 0.3 --out out/refined

    Pixels that may not change keep every bit. An edit after which a defect has faded, moved or doubled is refused and
    tried again with other noise; what no attempt gets right stays as it was rendered. scenes/*.json say what was done.
    """
    from diffusion_refine.core.models import load_model
    from diffusion_refine.editing.label_check import Limits
    from diffusion_refine.editing.realism import Settings
    from diffusion_refine.editing.word_swap import SwapSettings
    from diffusion_refine.synthesis.before_after import write_sheet
    from diffusion_refine.synthesis.refine import OUTCOMES, Plan, RefineError, refine_dataset
    from scenes.datasets.reader import Dataset
    from scenes.jobs.progress import shown

    if word and not variants:
        raise RefineError("--word says what defects become in variants; give --variants as well")
    source = Dataset(dataset)
    plan = Plan(
        realism=Settings(realism, background, band, steps, guidance, rli),
        swap=SwapSettings(method=method.value, steps=steps, alpha=rli),
        limits=Limits(visible, in_place, stray, spill, swap),
        variants=variants,
        words=tuple(word or ()),
        attempts=attempts,
        seed=seed,
    )
    _use(threads)
    loaded = load_model(model, device)
    begin = time.perf_counter()
    made = 0
    with shown("stopped; the same command goes on from the last finished frame") as progress:

        def report(what: str, done: int, total: int) -> None:
            nonlocal made
            made = total
            progress(what, done, total)

        refined, summary = refine_dataset(source, out, loaded, plan, report)
    seconds = time.perf_counter() - begin
    counted = ", ".join(f"{summary.frames[outcome]} {outcome}" for outcome in OUTCOMES if summary.frames[outcome])
    typer.echo(f"frames     {len(refined)}: {counted}")
    typer.echo(f"labels     {summary.checked} defects checked, {summary.refused} edits refused ({plan.limits})")
    if made:
        typer.echo(f"time       {seconds / made:.1f} s a frame")
    sheet = write_sheet(source, refined)
    if sheet is not None:
        typer.echo(f"look at    {sheet}")
    typer.echo(f"{out} is refined")


def _use(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
