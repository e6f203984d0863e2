"""Painted sheet."""

from typing import Literal

from procgen.finish import PaintedFinish
from scenes.catalogue.finish_model import FinishRecipeModel
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fine, Fraction, Ratio


class PaintedFinishRecipe(FinishRecipeModel):
    """Paint under a clear coat (coat) with orange peel, plain or metallic; see `procgen.finish.PaintedFinish`."""

    kind: Literal["painted"]
    metallic: Fraction = Constant(0.0)
    coat: Fraction = Constant(1.0)
    peel_size_mm: Fine
    flakes: Ratio = Constant(0.0)
    flake_size_mm: Fine = Constant(0.08)

    def sample(self, stream: RandomStream) -> PaintedFinish:
        """The finish of one frame."""
        return PaintedFinish(**self.parameters(stream))
