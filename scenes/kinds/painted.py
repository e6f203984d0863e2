"""Painted sheet."""

from typing import Literal

from procgen.finish import PaintedFinish
from scenes.distribution import Constant
from scenes.kinds.finishing import FinishSection
from scenes.lot import Lot
from scenes.sections import Fine, Fraction, Ratio


class PaintedFinishRecipe(FinishSection):
    """Paint under a clear coat (coat) with orange peel, plain or metallic; see `procgen.finish.PaintedFinish`."""

    kind: Literal["painted"]
    metallic: Fraction = Constant(0.0)
    coat: Fraction = Constant(1.0)
    peel_size_mm: Fine
    flakes: Ratio = Constant(0.0)
    flake_size_mm: Fine = Constant(0.08)

    def drawn(self, lot: Lot) -> PaintedFinish:
        """The finish of one frame."""
        return PaintedFinish(**self.parameters(lot))
