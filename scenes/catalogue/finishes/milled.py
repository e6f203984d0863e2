"""Face-milled metal."""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from procgen.finish import MilledFinish
from scenes.catalogue.finish_model import FinishRecipeModel, heading
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction, Microns, Ratio, together


class MilledFinishRecipe(FinishRecipeModel):
    """Face-milled: arcs of the teeth, pass beside pass, back and forth; see `procgen.finish.MilledFinish`."""

    kind: Literal["milled"]
    tool_diameter_mm: Fine
    teeth: Annotated[Distribution, Within(1, 64, whole=True)]
    feed_per_tooth_mm: Fine
    step_over_mm: Fine
    run_out_um: Microns = Constant(0.0)
    back_cutting: Fraction = Constant(0.0)
    feed_degrees: Degrees = Constant(0.0)
    irregularity: Ratio = Constant(0.3)
    anisotropy: Fraction = Constant(0.0)

    @model_validator(mode="after")
    def _passes_meet(self) -> Self:
        if self.step_over_mm.high > self.tool_diameter_mm.low:
            raise together(
                f"found step_over_mm up to {self.step_over_mm.high:g} with a tool_diameter_mm from "
                f"{self.tool_diameter_mm.low:g}; expected passes no further apart than the tool is wide"
            )
        return self

    def sample(self, stream: RandomStream) -> MilledFinish:
        """The finish of one frame."""
        parameters = self.parameters(stream) | {"teeth": stream.whole("teeth", self.teeth)}
        return MilledFinish(feed_direction=heading(parameters.pop("feed")), **parameters)
