"""Sand-cast metal."""

from typing import Literal

from procgen.finish import CastFinish
from scenes.distribution import Constant
from scenes.kinds.finishing import FinishSection
from scenes.lot import Lot
from scenes.sections import Fine, Ratio


class CastFinishRecipe(FinishSection):
    """The skin of a sand casting: round bumps of the mould's grains on waves; see `procgen.finish.CastFinish`."""

    kind: Literal["cast"]
    sand_size_mm: Fine
    waviness: Ratio = Constant(0.5)
    wave_length_mm: Fine = Constant(5.0)
    scorch: Ratio = Constant(0.1)

    def drawn(self, lot: Lot) -> CastFinish:
        """The finish of one frame."""
        return CastFinish(**self.parameters(lot))
