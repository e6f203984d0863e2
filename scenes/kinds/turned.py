"""Turned metal."""

from typing import Literal

from procgen.finish import TurnedFinish
from scenes.distribution import Constant
from scenes.kinds.finishing import FinishSection
from scenes.lot import Lot
from scenes.sections import Fine, Fraction, Offset, Ratio


class TurnedFinishRecipe(FinishSection):
    """See `procgen.finish.TurnedFinish`.

    marks: concentric about an upright axis through axis_x_mm, axis_y_mm, as on a faced disc; or helical about an axis
    along y, as on a shaft that lies in the picture.
    """

    kind: Literal["turned"]
    feed_mm: Fine
    marks: Literal["concentric", "helical"] = "concentric"
    axis_x_mm: Offset = Constant(0.0)
    axis_y_mm: Offset = Constant(0.0)
    irregularity: Ratio = Constant(0.5)
    anisotropy: Fraction = Constant(0.0)

    def drawn(self, lot: Lot) -> TurnedFinish:
        """The finish of one frame."""
        parameters = self.parameters(lot)
        x, y = parameters.pop("axis_x"), parameters.pop("axis_y")
        return TurnedFinish(
            marks=self.marks,
            axis_point=(x, y, 0.0),
            axis_direction=(0.0, 0.0, 1.0) if self.marks == "concentric" else (0.0, 1.0, 0.0),
            **parameters,
        )
