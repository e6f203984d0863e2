"""What drawing and training have in common on a command line, and the words that are said there. No torch."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

RecipeOption = Annotated[
    str, typer.Option(help="A shipped recipe or a YAML file whose defects are drawn; its impurities are not.")
]


class Stages(StrEnum):
    """How far a defect is worked out."""

    physics = "physics"
    coarse = "coarse"
    fine = "fine"


class Wavelet(StrEnum):
    """Orthogonal wavelets of short support."""

    haar = "haar"
    db2 = "db2"

    @property
    def overlap(self) -> int:
        """Pixels that a coefficient of the finest level reaches beyond its own two."""
        return 0 if self is Wavelet.haar else 2
