"""A dome about the part."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from scenes.camera.light import Dome, Head, Light
from scenes.catalogue.entry import LightEntry
from scenes.catalogue.light_model import (
    NO_AMBIENT,
    Ambient,
    Backdrop,
    Length,
    LightRecipeModel,
    OpeningRadiance,
    Radiance,
)
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import together
from scenes.quantities.units import MM


class DomeLightRecipe(LightRecipeModel):
    """A luminous hemisphere over the part: light from everywhere, in which colour shows, and relief and gloss hardly.

    The camera looks through an opening at its top, which shiny parts mirror as a dark spot.
    """

    kind: Literal["dome"]
    diameter_mm: Length = Field(description="Diameter of the dome")
    radiance_w_per_m2_sr: Radiance
    opening_mm: Annotated[Distribution, Within(0, 5000)] = Field(
        Constant(0.0), description="Diameter of the opening that the camera looks through"
    )
    height_mm: Annotated[Distribution, Within(0, 5000)] = Field(
        Constant(0.0), description="Height of the dome's rim above the part"
    )
    opening_radiance_w_per_m2_sr: OpeningRadiance = None
    ambient_w_per_m2_sr: Ambient = NO_AMBIENT
    backdrop_w_per_m2_sr: Backdrop = None

    @model_validator(mode="after")
    def _opening_is_smaller(self) -> Self:
        if self.opening_mm.high >= self.diameter_mm.low:
            raise together(
                f"found opening_mm up to {self.opening_mm.high:g} and diameter_mm from {self.diameter_mm.low:g}; "
                "expected an opening that is smaller than the dome"
            )
        return self

    def sample(self, head: Head, stream: RandomStream) -> Light:
        """The dome of one frame."""
        diameter = MM * stream.draw("diameter_mm", self.diameter_mm)
        opening = MM * stream.draw("opening_mm", self.opening_mm)
        dome = Dome(
            centre=(*head.centre, MM * stream.draw("height_mm", self.height_mm)),
            radius=diameter / 2,
            radiance=stream.draw("radiance_w_per_m2_sr", self.radiance_w_per_m2_sr),
            hole=math.asin(opening / diameter),
        )
        domes = [dome]
        if self.opening_radiance_w_per_m2_sr is not None and dome.hole > 0:
            seen = stream.draw("opening_radiance_w_per_m2_sr", self.opening_radiance_w_per_m2_sr)
            domes.append(dome.model_copy(update={"radiance": seen, "hole": 0.0, "rim": dome.hole}))
        return Light(panels=(), domes=tuple(domes), ambient=self.ambient(stream))


ENTRIES = (
    LightEntry(
        kind="dome",
        recipe=DomeLightRecipe,
        drawn=Light,
        title="Dome",
        tooltip="A luminous hemisphere over the part, with an opening for the camera",
        noun="dome light",
    ),
)
