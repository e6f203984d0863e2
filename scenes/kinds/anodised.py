"""Anodised aluminium."""

from typing import Literal

from procgen.finish import AnodisedFinish
from scenes.distribution import Constant
from scenes.kinds.finishing import FinishSection, heading
from scenes.lot import Lot
from scenes.sections import Degrees, Fine, Fraction


class AnodisedFinishRecipe(FinishSection):
    """Fine etched grain under a dyed oxide film, with what is left of the die's lines; base_colour is the dye's."""

    kind: Literal["anodised"]
    grain_size_mm: Fine = Constant(0.08)
    die_lines: Fraction = Constant(0.1)
    lay_degrees: Degrees = Constant(0.0)
    anisotropy: Fraction = Constant(0.0)

    def drawn(self, lot: Lot) -> AnodisedFinish:
        """The finish of one frame."""
        parameters = self.parameters(lot)
        return AnodisedFinish(lay_direction=heading(parameters.pop("lay")), **parameters)
