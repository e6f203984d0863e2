"""Anodised aluminium."""

from typing import Literal

from procgen.finish import AnodisedFinish
from scenes.catalogue.finish_model import FinishRecipeModel, heading
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction


class AnodisedFinishRecipe(FinishRecipeModel):
    """Fine etched grain under a dyed oxide film, with what is left of the die's lines; base_colour is the dye's."""

    kind: Literal["anodised"]
    grain_size_mm: Fine = Constant(0.08)
    die_lines: Fraction = Constant(0.1)
    lay_degrees: Degrees = Constant(0.0)
    anisotropy: Fraction = Constant(0.0)

    def sample(self, stream: RandomStream) -> AnodisedFinish:
        """The finish of one frame."""
        parameters = self.parameters(stream)
        return AnodisedFinish(lay_direction=heading(parameters.pop("lay")), **parameters)
