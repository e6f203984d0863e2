"""Printed-circuit laminate under solder mask."""

from typing import Literal

from pydantic import Field

from procgen.finish import LaminateFinish
from scenes.catalogue.entry import FinishEntry
from scenes.catalogue.finish_model import ProfiledFinishRecipe, heading
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction, Ratio


class LaminateFinishRecipe(ProfiledFinishRecipe):
    """Circuit board: the weave of the glass shows through the solder mask; see `procgen.finish.LaminateFinish`."""

    kind: Literal["laminate"]
    metallic: Fraction = Field(Constant(0.0), description="Metal or not: 1 reflects as a metal does")
    warp_pitch_mm: Fine = Field(description="From warp yarn to warp yarn")
    weft_pitch_mm: Fine = Field(description="From weft yarn to weft yarn")
    warp_degrees: Degrees = Field(Constant(0.0), title="Warp Direction", description="Direction of the warp yarns")
    waver: Fraction = Field(Constant(0.15), description="How far the yarns wander, over their pitch")
    grain: Ratio = Field(Constant(0.02), description="Contrast of the filler in the solder mask")

    def sample(self, stream: RandomStream) -> LaminateFinish:
        """The finish of one frame."""
        parameters = self.parameters(stream)
        return LaminateFinish(warp_direction=heading(parameters.pop("warp")), **parameters)


ENTRIES = (
    FinishEntry(
        kind="laminate",
        recipe=LaminateFinishRecipe,
        drawn=LaminateFinish,
        title="Laminate",
        tooltip="Circuit board: the weave of the glass shows through the solder mask",
        noun="laminate",
        material="board",
    ),
)
