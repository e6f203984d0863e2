"""Printed-circuit laminate under solder mask."""

from typing import Literal

from procgen.finish import LaminateFinish
from scenes.catalogue.finish_model import FinishRecipeModel, heading
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction, Ratio


class LaminateFinishRecipe(FinishRecipeModel):
    """Circuit board: the weave of the glass shows through the solder mask; see `procgen.finish.LaminateFinish`."""

    kind: Literal["laminate"]
    metallic: Fraction = Constant(0.0)
    warp_pitch_mm: Fine
    weft_pitch_mm: Fine
    warp_degrees: Degrees = Constant(0.0)
    waver: Fraction = Constant(0.15)
    grain: Ratio = Constant(0.02)

    def sample(self, stream: RandomStream) -> LaminateFinish:
        """The finish of one frame."""
        parameters = self.parameters(stream)
        return LaminateFinish(warp_direction=heading(parameters.pop("warp")), **parameters)
