"""Ceramic, bare or glazed."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from procgen.finish import CeramicFinish
from scenes.catalogue.entry import FinishEntry
from scenes.catalogue.finish_model import ProfiledFinishRecipe, require_apart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fine, Fraction, Ratio


class CeramicFinishRecipe(ProfiledFinishRecipe):
    """Fine sintered grain with sparse dark specks, bare or (coat: 1) glazed; see `procgen.finish.CeramicFinish`."""

    kind: Literal["ceramic"]
    metallic: Fraction = Field(Constant(0.0), description="Metal or not: 1 reflects as a metal does")
    grain_size_mm: Fine = Field(description="Size of a grain")
    speck_density_per_cm2: Annotated[Distribution, Within(0, 10_000)] = Field(
        Constant(0.0), description="Dark specks in a square centimetre"
    )
    speck_radius_um: Annotated[Distribution, Within(1, 10_000)] = Field(
        Constant(100.0), description="Radius of the dark specks"
    )
    speck_darkening: Ratio = Field(Constant(1.0), title="Speck Darkness", description="How dark the specks are")

    @model_validator(mode="after")
    def _specks_apart(self) -> Self:
        require_apart("speck", self.speck_density_per_cm2, self.speck_radius_um)
        return self

    def sample(self, stream: RandomStream) -> CeramicFinish:
        """The finish of one frame."""
        return CeramicFinish(**self.parameters(stream))


ENTRIES = (
    FinishEntry(
        kind="ceramic",
        recipe=CeramicFinishRecipe,
        drawn=CeramicFinish,
        title="Ceramic",
        tooltip="Fine sintered grain with sparse dark specks, bare or glazed",
        noun="ceramic",
        material="ceramic",
    ),
)
