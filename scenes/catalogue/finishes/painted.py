"""Painted sheet."""

from typing import Literal

from pydantic import Field

from procgen.finish import PaintedFinish
from scenes.catalogue.entry import FinishEntry
from scenes.catalogue.finish_model import ProfiledFinishRecipe
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fine, Fraction, Ratio


class PaintedFinishRecipe(ProfiledFinishRecipe):
    """Paint under a clear coat (coat) with orange peel, plain or metallic; see `procgen.finish.PaintedFinish`."""

    kind: Literal["painted"]
    metallic: Fraction = Field(Constant(0.0), description="Metal or not: 1 reflects as a metal does")
    coat: Fraction = Field(Constant(1.0), description="Weight of a clear coat on top")
    peel_size_mm: Fine = Field(description="Size of the dimples of orange peel")
    flakes: Ratio = Field(Constant(0.0), description="Glitter of metallic paint from flake to flake; 0 is plain paint")
    flake_size_mm: Fine = Field(Constant(0.08), description="Size of a flake")

    def sample(self, stream: RandomStream) -> PaintedFinish:
        """The finish of one frame."""
        return PaintedFinish(**self.parameters(stream))


ENTRIES = (
    FinishEntry(
        kind="painted",
        recipe=PaintedFinishRecipe,
        drawn=PaintedFinish,
        title="Painted",
        tooltip="Paint under a clear coat, with orange peel, plain or metallic",
        noun="painted",
        material="painted",
    ),
)
