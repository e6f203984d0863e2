"""Face-milled metal."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from procgen.finish import MilledFinish
from scenes.catalogue.entry import FinishEntry
from scenes.catalogue.finish_model import ProfiledFinishRecipe, heading
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction, Microns, Ratio, together


class MilledFinishRecipe(ProfiledFinishRecipe):
    """Face-milled: arcs of the teeth, pass beside pass, back and forth; see `procgen.finish.MilledFinish`."""

    kind: Literal["milled"]
    tool_diameter_mm: Fine = Field(description="Diameter of the cutter")
    teeth: Annotated[Distribution, Within(1, 64, whole=True)] = Field(description="How many teeth the cutter has")
    feed_per_tooth_mm: Fine = Field(description="From arc to arc, that is from tooth to tooth")
    step_over_mm: Fine = Field(description="From pass to pass of the cutter")
    run_out_um: Microns = Field(
        Constant(0.0), title="Run-Out", description="By how much the lowest tooth cuts deeper than the others"
    )
    back_cutting: Fraction = Field(
        Constant(0.0), description="How deep the back of the cutter cuts: 0 leaves plain arcs, 1 a cross-hatch"
    )
    feed_degrees: Degrees = Field(Constant(0.0), description="Direction that the cutter travels in")
    irregularity: Ratio = Field(Constant(0.3), description="How much one differs from the next")
    anisotropy: Fraction = Field(
        Constant(0.0), description="How much reflections are drawn out across the machining marks"
    )

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


ENTRIES = (
    FinishEntry(
        kind="milled",
        recipe=MilledFinishRecipe,
        drawn=MilledFinish,
        title="Milled",
        tooltip="The arcs of a face mill, pass beside pass",
        noun="milled",
        material="metal",
        directional=True,
    ),
)
