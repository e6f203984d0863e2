"""Printed-circuit laminate under solder mask."""

from typing import Literal

from procgen.finish import LaminateFinish
from scenes.distribution import Constant
from scenes.kinds.finishing import FinishSection, heading
from scenes.lot import Lot
from scenes.sections import Degrees, Fine, Fraction, Ratio


class LaminateFinishRecipe(FinishSection):
    """Circuit board: the weave of the glass shows through the solder mask; see `procgen.finish.LaminateFinish`."""

    kind: Literal["laminate"]
    metallic: Fraction = Constant(0.0)
    warp_pitch_mm: Fine
    weft_pitch_mm: Fine
    warp_degrees: Degrees = Constant(0.0)
    waver: Fraction = Constant(0.15)
    grain: Ratio = Constant(0.02)

    def drawn(self, lot: Lot) -> LaminateFinish:
        """The finish of one frame."""
        parameters = self.parameters(lot)
        return LaminateFinish(warp_direction=heading(parameters.pop("warp")), **parameters)
