"""Anodised aluminium."""

from typing import Literal

from pydantic import Field

from procgen.finish import AnodisedFinish
from scenes.catalogue.entry import FinishEntry
from scenes.catalogue.finish_model import ProfiledFinishRecipe, heading
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction


class AnodisedFinishRecipe(ProfiledFinishRecipe):
    """Fine etched grain under a dyed oxide film, with what is left of the die's lines; base_colour is the dye's."""

    kind: Literal["anodised"]
    grain_size_mm: Fine = Field(Constant(0.08), description="Size of a grain")
    die_lines: Fraction = Field(Constant(0.1), description="What etching left of the lines of the extrusion die")
    lay_degrees: Degrees = Field(
        Constant(0.0), description="Direction of the marks: 0° is along the width, 90° upright"
    )
    anisotropy: Fraction = Field(
        Constant(0.0), description="How much reflections are drawn out across the machining marks"
    )

    def sample(self, stream: RandomStream) -> AnodisedFinish:
        """The finish of one frame."""
        parameters = self.parameters(stream)
        return AnodisedFinish(lay_direction=heading(parameters.pop("lay")), **parameters)


ENTRIES = (
    FinishEntry(
        kind="anodised",
        recipe=AnodisedFinishRecipe,
        drawn=AnodisedFinish,
        title="Anodised",
        tooltip="Fine etched grain under a dyed oxide film",
        noun="anodised",
        material="metal",
    ),
)
