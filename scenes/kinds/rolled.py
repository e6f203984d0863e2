"""Rolled sheet, bright or under scale."""

from typing import Literal

from procgen.finish import RolledFinish
from scenes.distribution import Constant
from scenes.kinds.finishing import FinishSection, heading
from scenes.lot import Lot
from scenes.sections import Degrees, Fine, Fraction, Ratio


class RolledFinishRecipe(FinishSection):
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

    def drawn(self, lot: Lot) -> RolledFinish:
        """The finish of one frame."""
        parameters = self.parameters(lot)
        return RolledFinish(lay_direction=heading(parameters.pop("lay")), **parameters)
