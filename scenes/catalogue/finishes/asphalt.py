"""Roads."""

from typing import Annotated, Literal

from pydantic import Field

from procgen.finish import AsphaltFinish
from scenes.catalogue.entry import FinishEntry
from scenes.catalogue.finish_model import ProfiledFinishRecipe
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fraction, Ratio

Stone = Annotated[Distribution, Within(0.01, 100)]  # mm


class AsphaltFinishRecipe(ProfiledFinishRecipe):
    """A road's surface course: stones of two sizes in a dark binder, worn bare; see `procgen.finish.AsphaltFinish`."""

    kind: Literal["asphalt"]
    stone_size_mm: Stone = Field(description="Size of a stone")
    bare: Ratio = Field(Constant(0.35), description="How much the stones are worn bare of the binder")
    variety: Ratio = Field(Constant(0.3), description="How much the stones differ in brightness")
    tint: Ratio = Field(Constant(0.0), description="How much the stones differ in hue, brown beside bluish ones")
    angular: Fraction = Field(Constant(0.0), description="0 for round stones, 1 for broken ones with edges")
    plucked: Fraction = Field(Constant(0.0), description="Share of the large stones that have come out")
    glints: Fraction = Field(Constant(0.0), description="Share of the stones that are as bright as quartz")
    metallic: Fraction = Field(Constant(0.0), description="Metal or not: 1 reflects as a metal does")

    def sample(self, stream: RandomStream) -> AsphaltFinish:
        """The finish of one frame."""
        return AsphaltFinish(**self.parameters(stream))


ENTRIES = (
    FinishEntry(
        kind="asphalt",
        recipe=AsphaltFinishRecipe,
        drawn=AsphaltFinish,
        title="Asphalt",
        tooltip="A road: stones of two sizes in a dark binder",
        noun="asphalt",
        material="asphalt",
        is_material=True,
    ),
)
