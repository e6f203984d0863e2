"""The method `baseline`: defects by published pipelines of diffusers, to compare with."""

from typing import TYPE_CHECKING, Annotated

import typer

from diffusion_refine.synthesis.baseline.kind import Kind
from diffusion_refine.synthesis.pasting.opening import (
    CountOption,
    FormatOption,
    OnlyOption,
    SurfaceOption,
    pasting,
    surfaces_of,
)
from diffusion_refine.synthesis.request import Request
from diffusion_refine.synthesis.sard.choosing import MaskPiecesOption, MasksOnlyOption, MasksOption, mask_source
from diffusion_refine.training.options import DeviceOption, ThreadsOption
from scenes.formats.registry import AUTO
from scenes.pictures.options import MOST_PHOTO_MILLIONS, MostPixelsOption, WhiteLevelOption, reading

if TYPE_CHECKING:
    from diffusion_refine.synthesis.generator import Synthesis


def synthesis(
    request: Request,
    *,
    kind: Annotated[
        str,
        typer.Option(
            metavar="|".join(Kind),
            help="In-painting, a ControlNet that sees edges or depth, or SDEdit; the result counts in the mask alone.",
        ),
    ],
    model: Annotated[
        str,
        typer.Option(metavar="ID|FOLDER", help="Of Stable Diffusion 1.x, 2.x or SDXL; an in-painting one for inpaint."),
    ],
    controlnet: Annotated[
        str | None, typer.Option(metavar="ID|FOLDER", help="For canny and depth: one that learnt that.")
    ] = None,
    depth_model: Annotated[
        str | None, typer.Option(metavar="ID|FOLDER", help="For depth: what estimates it, such as a DPT.")
    ] = None,
    class_name: Annotated[
        list[str], typer.Option("--class", metavar="NAME", help="What to make, repeatable, such as crack.")
    ],
    prompt: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help='With {class} for the word; by default "photo of a crack defect image" of a crack.'
        ),
    ] = None,
    masks: MasksOption = "random",
    masks_only: MasksOnlyOption = None,
    pieces: MaskPiecesOption = 1,
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Of denoising.")] = 50,
    guidance: Annotated[float, typer.Option(min=1, max=50, help="Scale of classifier-free guidance.")] = 7.5,
    strength: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1,
            help="Of SDEdit and in-painting: the share of the steps that are taken.",
            show_default=".5 of SDEdit, 1 of in-painting",
        ),
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(min=32, max=8192, help="Pixels of the windows round masks.", show_default="the model's own"),
    ] = None,
    count: CountOption = 1,
    only: OnlyOption = None,
    recipe: SurfaceOption = "plate",
    format: FormatOption = AUTO,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_PHOTO_MILLIONS,
    device: DeviceOption = None,
    threads: ThreadsOption = 1,
) -> "Synthesis":
    """Make defects in masks by a pipeline of diffusers.

    Raises BlemishError for a kind or options that do not go together; ModelError, RecipeError, PictureError.
    """
    import torch

    from diffusion_refine.synthesis.baseline.generator import BaselineGenerator
    from diffusion_refine.synthesis.baseline.pipelines import Asked, load_baseline
    from diffusion_refine.synthesis.pasting.chosen import chosen_surfaces
    from procgen.errors import BlemishError

    if kind not in list(Kind):
        raise BlemishError(f"--kind: found {kind}; expected one of {', '.join(Kind)}")
    chosen = Kind(kind)
    if strength is not None and chosen in (Kind.canny, Kind.depth):
        raise BlemishError(f"--strength: is not of --kind {kind}, which begins with noise alone; leave it out")
    torch.set_num_threads(threads)
    options = reading(white_level, most_pixels)
    loaded = load_baseline(chosen, model, controlnet, depth_model, device)
    window = side or loaded.side
    if window % loaded.step:
        raise BlemishError(f"--side: found {window}; expected a multiple of {loaded.step}, as {model} sees it")
    wanted = tuple(dict.fromkeys(class_name))
    source = mask_source(masks, masks_only, wanted, window, pieces, options)
    asked = Asked(steps, guidance, strength or (0.5 if chosen == Kind.sdedit else 1.0))
    samples = chosen_surfaces(request.inputs, only, options, format)
    generator = BaselineGenerator(loaded, source, prompt, asked, window, {})
    return pasting(
        "baseline",
        request,
        surfaces_of(request, samples, count, recipe),
        source.classes,
        lambda bits: BaselineGenerator(loaded, source, prompt, asked, window, bits),
        {"kind": kind, "classes": list(source.classes), **generator.described(0)},
    )
