"""The options of every command that reads people's pictures."""

from typing import Annotated

import typer

from scenes.pictures.decoding import MOST_PIXELS
from scenes.pictures.reading import MOST_PHOTO_PIXELS, ReadingOptions

WhiteLevelOption = Annotated[
    float | None,
    typer.Option(
        min=1e-9,
        help="What white is in pictures of more than 8 bits, such as 4095 of a 12-bit camera. Else it is found.",
    ),
]
MostPixelsOption = Annotated[
    float, typer.Option(min=1e-3, help="Millions of pixels that a picture may have; a larger one is refused unopened.")
]
MOST_MILLIONS, MOST_PHOTO_MILLIONS = MOST_PIXELS / 1e6, MOST_PHOTO_PIXELS / 1e6


def reading(white_level: float | None, most_millions: float) -> ReadingOptions:
    """What the two options ask for."""
    return ReadingOptions(white_level, round(most_millions * 1e6))
