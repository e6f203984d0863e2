"""Options of word swaps, which the methods that swap words have in common. No torch."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from procgen.errors import BlemishError

if TYPE_CHECKING:
    from diffusion_refine.editing.word_swap import SwapSettings

PAPER_SEED = 42
CROSS, SELF, AMPLIFY = 0.8, 0.6, 2.0  # of [Jo 2025]
NO_PAINTER, OWN_PAINTER = "none", "embedded"


class Inversion(StrEnum):
    """How a word swap keeps to the picture it changes; see `diffusion_refine.inversion.methods`."""

    direct = "direct"
    null = "null"
    negative_prompt = "negative-prompt"


ModelOption = Annotated[
    str,
    typer.Option(
        metavar="embedded|PATH|ID",
        help="The one that comes with Blemish, a folder in diffusers' layout, or a hub id of SD 1.x, 2.x or XL.",
    ),
]
InversionOption = Annotated[
    Inversion | None, typer.Option(help="How swaps keep to the picture.", show_default="direct, with --paper null")
]
PainterOption = Annotated[
    str | None,
    typer.Option(
        metavar="embedded|none|PATH|ID",
        help="In-painting model that heals the defects of variants, so that others are drawn in their place, or "
        "painted by it. With none, words of the picture's prompt are swapped, as all options of swaps want it.",
        show_default="embedded; none with --keep-classes and options of swaps",
    ),
]
CandidatesOption = Annotated[
    int,
    typer.Option(
        min=1,
        max=64,
        help="Paintings of each defect, of which the one is taken that looks most like its word to the painter; each "
        "takes as long again.",
    ),
]
DrawOption = Annotated[
    bool,
    typer.Option(
        "--draw/--no-draw",
        help="Variants: draw what a defect becomes as the dataset's recipe does, or the catalogue, and make it real as "
        "the others; what neither knows, and without drawing all, is painted, and its mask found anew.",
    ),
]
StepsOption = Annotated[int, typer.Option(min=1, max=1000, help="Of the whole noise schedule.")]
RliOption = Annotated[
    float, typer.Option("--rli", min=0, max=1, help="Residual interpolation in self-attention, alpha.")
]
CrossOption = Annotated[
    float,
    typer.Option(min=0, max=1, help="Swaps: share of the steps in which the new word looks where the old one did."),
]
SelfOption = Annotated[
    float,
    typer.Option("--self", min=0, max=1, help="Swaps: share of the steps in which the picture keeps its layout."),
]
AmplifyOption = Annotated[
    float,
    typer.Option(min=0, max=100, help="Swaps: factor of the new word's attention; below 1 it shows more faintly."),
]
PaperOption = Annotated[
    bool,
    typer.Option(
        "--paper", help="Swap as [Jo 2025] does, all of it; what is given beside it wins. Null inversion takes longest."
    ),
]
LowMemoryOption = Annotated[
    bool,
    typer.Option("--low-memory", help="For small cards: all but the UNet rests off it, large pictures in tiles."),
]


def swap_settings(
    inversion: Inversion | None, steps: int, rli: float, cross: float, self_share: float, amplify: float, paper: bool
) -> "SwapSettings":
    """The settings that the options ask for. paper: whether the method is the paper's where none is named."""
    from diffusion_refine.editing.word_swap import SwapSettings

    method = inversion or (Inversion.null if paper else Inversion.direct)
    return SwapSettings(method.value, steps, alpha=rli, cross=cross, self_share=self_share, amplifier=amplify)


def painter_for(given: str | None, swaps_words: bool, keeps_classes: bool = False) -> str | None:
    """The name of the model that heals and paints variants, None where words are swapped.

    swaps_words: whether something else that was given says how. keeps_classes: whether a word changes no more than how
    a defect looks. Raises BlemishError for a painter and what else says how.
    """
    if given == NO_PAINTER:
        return None
    if given is None:
        return None if swaps_words or keeps_classes else OWN_PAINTER
    if swaps_words:
        raise BlemishError(
            f"--painter {given}: paints, and --paper, --cross, --self, --amplify and an inversion swap words; "
            "give one or the other"
        )
    return given


def seed_for(given: int | None, paper: bool) -> int:
    """The seed that was given; else the paper's, or 0."""
    if given is not None:
        return given
    return PAPER_SEED if paper else 0
