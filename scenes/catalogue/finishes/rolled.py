"""Rolled sheet, bright or under scale."""

from typing import Literal

from procgen.finish import RolledFinish
from scenes.catalogue.finish_model import FinishRecipeModel, heading
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction, Ratio


class RolledFinishRecipe(FinishRecipeModel):
    """Sheet with marks along the rolling direction, bright or under oxide scale; see `procgen.finish.RolledFinish`."""

    kind: Literal["rolled"]
    lay_degrees: Degrees
    mark_length_mm: Fine
    mark_width_mm: Fine
    grain: Fraction = Constant(0.5)
    grain_size_mm: Fine = Constant(0.1)
    scale_cover: Fraction = Constant(0.0)
    scale_size_mm: Fine = Constant(5.0)
    scale_darkening: Ratio = Constant(0.5)
    scale_roughness: Fraction = Constant(0.1)
    anisotropy: Fraction = Constant(0.0)

    def sample(self, stream: RandomStream) -> RolledFinish:
        """The finish of one frame."""
        parameters = self.parameters(stream)
        return RolledFinish(lay_direction=heading(parameters.pop("lay")), **parameters)
