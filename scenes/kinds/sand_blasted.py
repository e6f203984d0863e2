"""Sand-blasted metal."""

from typing import Literal

from procgen.finish import SandBlastedFinish
from scenes.kinds.finishing import FinishSection
from scenes.lot import Lot
from scenes.sections import Fine


class SandBlastedFinishRecipe(FinishSection):
    """Round craters beside and over each other, dull and even; see `procgen.finish.SandBlastedFinish`."""

    kind: Literal["sand_blasted"]
    crater_size_mm: Fine

    def drawn(self, lot: Lot) -> SandBlastedFinish:
        """The finish of one frame."""
        return SandBlastedFinish(**self.parameters(lot))
