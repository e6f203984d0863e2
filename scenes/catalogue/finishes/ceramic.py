"""Ceramic, bare or glazed."""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from procgen.finish import CeramicFinish
from scenes.catalogue.finish_model import FinishRecipeModel, require_apart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fine, Fraction, Ratio


class CeramicFinishRecipe(FinishRecipeModel):
    """Fine sintered grain with sparse dark specks, bare or (coat: 1) glazed; see `procgen.finish.CeramicFinish`."""

    kind: Literal["ceramic"]
    metallic: Fraction = Constant(0.0)
    grain_size_mm: Fine
    speck_density_per_cm2: Annotated[Distribution, Within(0, 10_000)] = Constant(0.0)
    speck_radius_um: Annotated[Distribution, Within(1, 10_000)] = Constant(100.0)
    speck_darkening: Ratio = Constant(1.0)

    @model_validator(mode="after")
    def _specks_apart(self) -> Self:
        require_apart("speck", self.speck_density_per_cm2, self.speck_radius_um)
        return self

    def sample(self, stream: RandomStream) -> CeramicFinish:
        """The finish of one frame."""
        return CeramicFinish(**self.parameters(stream))
