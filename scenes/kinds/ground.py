"""The ground or brushed finish."""

import math
from typing import Annotated, Literal, Self

from pydantic import model_validator

from procgen.finish import GroundFinish
from scenes.distribution import Constant, Distribution, Within
from scenes.lot import Lot
from scenes.sections import Degrees, Fine, Fraction, Microns, Ratio, Section, together

PITS_PER_SQUARE_RADIUS = 2.0  # more cannot lie apart on the jittered grid that places them; see GroundFinish


class GroundFinishRecipe(Section):
    """See `procgen.finish.GroundFinish`."""

    kind: Literal["ground"]
    lay_degrees: Degrees
    correlation_along_mm: Fine
    correlation_across_mm: Fine
    height_rms_um: Microns
    base_colour: tuple[Fraction, Fraction, Fraction]
    brightness: Annotated[Distribution, Within(0, 4)] = Constant(1.0)
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
        per_square_mm, radius_mm = self.pit_density_per_cm2.high / 100, self.pit_radius_um.high / 1000
        if per_square_mm * radius_mm**2 >= PITS_PER_SQUARE_RADIUS:
            raise together(
                f"found pit_density_per_cm2 up to {per_square_mm * 100:g} of pit_radius_um up to {radius_mm * 1000:g}; "
                f"expected fewer than {100 * PITS_PER_SQUARE_RADIUS / radius_mm**2:.0f}, or they merge"
            )
        return self

    def drawn(self, lot: Lot) -> GroundFinish:
        """The finish of one frame."""
        quantities = lot.quantities(self)
        lay, brightness = quantities.pop("lay"), quantities.pop("brightness")
        red, green, blue = (
            min(1.0, brightness * lot.draw(f"base_colour.{channel}", quantity))
            for channel, quantity in enumerate(self.base_colour)
        )
        return GroundFinish(
            **quantities,
            lay_direction=(math.cos(lay), math.sin(lay), 0.0),
            base_colour=(red, green, blue),
            seed=lot.layer_seed(),
        )
