"""Roads."""

from typing import Annotated, Literal

from procgen.finish import AsphaltFinish
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.finishing import FinishSection
from scenes.lot import Lot
from scenes.sections import Fraction, Ratio

Stone = Annotated[Distribution, Within(0.01, 100)]  # mm


class AsphaltFinishRecipe(FinishSection):
    """A road's surface course: stones of two sizes in a dark binder, worn bare; see `procgen.finish.AsphaltFinish`."""

    kind: Literal["asphalt"]
    stone_size_mm: Stone
    bare: Ratio = Constant(0.35)
    variety: Ratio = Constant(0.3)
    metallic: Fraction = Constant(0.0)

    def drawn(self, lot: Lot) -> AsphaltFinish:
        """The finish of one frame."""
        return AsphaltFinish(**self.parameters(lot))
