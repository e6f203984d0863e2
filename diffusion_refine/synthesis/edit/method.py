"""The method `edit`: words of a prompt exchanged, the place found by what they attend to, the mask by what changed."""

from typing import TYPE_CHECKING, Annotated

import typer

from diffusion_refine.synthesis.pasting.opening import FormatOption, OnlyOption, SurfaceOption, pasting, surfaces_of
from diffusion_refine.synthesis.request import Request
from diffusion_refine.synthesis.swap_options import (
    AMPLIFY,
    CROSS,
    SELF,
    AmplifyOption,
    CrossOption,
    InversionOption,
    LowMemoryOption,
    ModelOption,
    PaperOption,
    RliOption,
    SelfOption,
    StepsOption,
    swap_settings,
)
from diffusion_refine.training.options import DeviceOption, ThreadsOption
from scenes.formats.registry import AUTO
from scenes.pictures.options import MOST_PHOTO_MILLIONS, MostPixelsOption, WhiteLevelOption, reading

if TYPE_CHECKING:
    from diffusion_refine.synthesis.generator import Synthesis
    from scenes.datasets.reader import Dataset

PAPER_WORD = "crack"  # of the paper's base prompt
PAPER_SIDES = {"sd": 512, "sdxl": 1024}


def synthesis(
    request: Request,
    *,
    prompt: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help='What the pictures show, such as "photo of a good ground tile"; with --paper its base prompt.',
        ),
    ] = None,
    to: Annotated[
        list[str],
        typer.Option(metavar="WORD", help="What a word of the prompt becomes, one a frame; repeatable."),
    ],
    exchange: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD",
            help="The word of the prompt that it is; repeatable. By default the defects that the prompt names.",
        ),
    ] = None,
    keys: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            help="Exchange the words that act most on each picture, so many; by default one where no defect is named.",
        ),
    ] = None,
    changed: Annotated[
        float, typer.Option(min=0, max=1, help="Of white, by which a pixel must have changed to belong to the mask.")
    ] = 0.05,
    blend: Annotated[
        tuple[float, float],
        typer.Option(
            metavar="SHARE START",
            help="Where words attend above this share of their most is edited; all of the picture for the first steps.",
        ),
    ] = (0.3, 0.2),
    paper: PaperOption = False,
    inversion: InversionOption = None,
    steps: StepsOption = 50,
    cross: CrossOption = CROSS,
    self_share: SelfOption = SELF,
    amplify: AmplifyOption = AMPLIFY,
    rli: RliOption = 0.1,
    band: Annotated[int, typer.Option(min=0, help="Pixels inside a place over which a change fades in.")] = 3,
    side: Annotated[
        int | None,
        typer.Option(
            min=32,
            max=8192,
            help="Pixels of the longer side at which the model sees a picture.",
            show_default="the model's own",
        ),
    ] = None,
    only: OnlyOption = None,
    recipe: SurfaceOption = "plate",
    format: FormatOption = AUTO,
    white_level: WhiteLevelOption = None,
    most_pixels: MostPixelsOption = MOST_PHOTO_MILLIONS,
    model: ModelOption = "embedded",
    low_memory: LowMemoryOption = False,
    device: DeviceOption = None,
    threads: ThreadsOption = 1,
) -> "Synthesis":
    """Exchange words of a prompt, and find masks for what that changes.

    Raises BlemishError for words that cannot be exchanged and pictures that cannot be read; ModelError, RecipeError.
    """
    from dataclasses import replace

    import torch

    from diffusion_refine.core.models import load_model
    from diffusion_refine.editing.word_swap import tokens
    from diffusion_refine.prompts.captions import base_prompt
    from diffusion_refine.prompts.vocabulary import swapped
    from diffusion_refine.synthesis.edit.generator import EditGenerator, EditSettings
    from diffusion_refine.synthesis.edit.source import PictureByPicture
    from diffusion_refine.synthesis.edit.summary import summary_lines
    from diffusion_refine.synthesis.pasting.chosen import chosen_surfaces
    from diffusion_refine.synthesis.refine.swap_words import class_of
    from procgen.errors import BlemishError

    asked = prompt or (base_prompt(PAPER_WORD) if paper else "")
    if not asked:
        raise BlemishError('--prompt: is missing; say what the pictures show, as in "photo of a good ground tile"')
    if exchange and keys:
        raise BlemishError("--keys lets each picture say which words are exchanged; leave it or --exchange out")
    for name, share in zip(("SHARE", "START"), blend, strict=True):
        if not 0 <= share <= 1:
            raise BlemishError(f"--blend: found {share:g} for {name}; expected a share between 0 and 1")
    words = tuple(dict.fromkeys(to))
    exchanged, count = exchanged_words(asked, words, tuple(dict.fromkeys(exchange or ())), keys)
    samples = chosen_surfaces(request.inputs, only, reading(white_level, most_pixels), format)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    loaded = load_model(model, device, low_memory=low_memory)
    for target in (asked, *(swapped(asked, old, new) for old in exchanged for new in words)):
        tokens(loaded, target)
    own = min(loaded.size, PAPER_SIDES[loaded.family]) if paper else loaded.size
    swap = swap_settings(inversion, steps, rli, cross, self_share, amplify, paper)
    settings = EditSettings(
        asked, words, exchanged, count, replace(swap, threshold=blend[0], start=blend[1]), side or own, band, changed
    )
    surfaces = PictureByPicture(surfaces_of(request, samples, settings.count, recipe), settings.count)
    families = surfaces.recipe.class_families | surfaces.families
    classes = {word: class_of(word, families) for word in words}
    generator = EditGenerator(loaded, settings, classes, {})
    made = pasting(
        "edit",
        request,
        surfaces,
        dict.fromkeys(classes.values()),
        lambda bits: EditGenerator(loaded, settings, classes, bits),
        generator.record,
    )

    def report(dataset: "Dataset") -> list[str]:
        return [*summary_lines(dataset, changed), *made.report(dataset)[1:]]

    return replace(made, activity="editing", report=report)


def exchanged_words(
    prompt: str, words: tuple[str, ...], exchange: tuple[str, ...], keys: int | None
) -> tuple[tuple[str, ...], int]:
    """The words of a prompt that are exchanged, or none and how many key words of each picture are.

    Those that are named, else the defects that the prompt names, else key words. Raises BlemishError for words that
    the prompt has not, that would become themselves, and for more key words than there are.
    """
    from diffusion_refine.prompt_to_prompt.maps import is_named
    from diffusion_refine.prompts.vocabulary import defects_in, split, swapped
    from procgen.errors import BlemishError

    exchanged = exchange or (() if keys else tuple(defects_in(prompt)))
    for old in exchanged:
        for new in words:
            if split(swapped(prompt, old, new)) == split(prompt):
                raise BlemishError(f"--to {new}: is what the prompt {prompt!r} says already; name another word")
    if exchanged:
        return exchanged, 0
    named = dict.fromkeys(word for word in split(prompt) if is_named(word))
    count, there = keys or 1, len(named) - any(word in named for word in words)
    if count > there:
        raise BlemishError(f"--keys: found {count}; the prompt {prompt!r} has {there} words that can be exchanged")
    return (), count
