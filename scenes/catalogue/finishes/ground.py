"""The ground or brushed finish."""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from procgen.finish import GroundFinish
from scenes.catalogue.finish_model import Brightness, dimmed, heading, require_apart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction, Microns, Ratio, RecipeModel


class GroundFinishRecipe(RecipeModel):
    """See `procgen.finish.GroundFinish`; to grind and to brush leave marks of one sort."""

    kind: Literal["ground", "brushed"]
    lay_degrees: Degrees
    correlation_along_mm: Fine
    correlation_across_mm: Fine
    height_rms_um: Microns
    base_colour: tuple[Fraction, Fraction, Fraction]
    brightness: Brightness = Constant(1.0)
    roughness: Fraction
    roughness_streaks: Fraction = Constant(0.0)
    streaks: Ratio = Constant(0.0)
    grain: Ratio = Constant(0.0)
    grain_size_mm: Fine = Constant(0.1)
    grooves: Ratio = Constant(0.0)
    groove_depth_um: Microns = Constant(0.0)
    mottle: Ratio = Constant(0.0)
    mottle_size_mm: Fine = Constant(10.0)
    pit_density_per_cm2: Annotated[Distribution, Within(0, 10_000)] = Constant(0.0)
    pit_radius_um: Annotated[Distribution, Within(1, 10_000)] = Constant(100.0)
    pit_depth_um: Microns = Constant(0.0)
    pit_darkening: Fraction = Constant(0.6)
    metallic: Fraction = Constant(1.0)
    anisotropy: Fraction = Constant(0.0)

    @model_validator(mode="after")
    def _pits_apart(self) -> Self:
        require_apart("pit", self.pit_density_per_cm2, self.pit_radius_um)
        return self

    def sample(self, stream: RandomStream) -> GroundFinish:
        """The finish of one frame."""
        quantities = stream.quantities(self)
        return GroundFinish(
            lay_direction=heading(quantities.pop("lay")),
            base_colour=dimmed(stream.colour("base_colour", self.base_colour), quantities.pop("brightness")),
            seed=stream.layer_seed(),
            kind=self.kind,
            **quantities,
        )
