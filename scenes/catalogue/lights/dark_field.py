"""Dark field: light that grazes the surface."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from scenes.camera.light import Head, Light, closed_ring_panel_length, ring_light
from scenes.catalogue.entry import LightEntry
from scenes.catalogue.light_model import NO_AMBIENT, Ambient, Backdrop, Length, LightRecipeModel, Power, facing, powers
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Extent, Fraction
from scenes.quantities.units import MM


class DarkFieldLightRecipe(LightRecipeModel):
    """A low ring whose light grazes the surface: what is level mirrors it past the camera and stays dark, edges and
    scratches that tilt towards it light up.
    """

    kind: Literal["dark_field"]
    sides: Annotated[int, Field(strict=True, ge=3, le=64)] = Field(24, description="How many panels the ring has")
    diameter_mm: Length = Field(description="From panel to opposite panel")
    elevation_degrees: Annotated[Distribution, Within(0.5, 60)] = Field(
        Constant(10.0), description="By how much the light comes down from level, in the middle"
    )
    panel_width_mm: Extent = Field(description="Width of a panel, from top to bottom")
    power_w: Power = Field(description="Power of all panels together")
    imbalance: Fraction = Field(
        Constant(0.0), title="Imbalance", description="Share by which the panels may differ in power"
    )
    rotation_degrees: Degrees = Field(Constant(0.0), description="Turn of the ring of lights")
    ambient_w_per_m2_sr: Ambient = NO_AMBIENT
    backdrop_w_per_m2_sr: Backdrop = None

    def sample(self, head: Head, stream: RandomStream) -> Light:
        """The ring of one frame."""
        diameter = MM * stream.draw("diameter_mm", self.diameter_mm)
        height = diameter / 2 * math.tan(math.radians(stream.draw("elevation_degrees", self.elevation_degrees)))
        return Light(
            panels=ring_light(
                diameter=diameter,
                height=height,
                panel_length=closed_ring_panel_length(self.sides, diameter),
                panel_width=MM * stream.draw("panel_width_mm", self.panel_width_mm),
                tilt=facing(diameter / 2, height),
                rotation=math.radians(stream.draw("rotation_degrees", self.rotation_degrees)),
                scale=1.0,
                powers=powers(self.sides, self.power_w, self.imbalance, stream),
                centre=head.centre,
            ),
            ambient=self.ambient(stream),
        )


ENTRIES = (
    LightEntry(
        kind="dark_field",
        recipe=DarkFieldLightRecipe,
        drawn=Light,
        title="Dark Field",
        tooltip="A low ring whose light grazes the surface",
        noun="dark-field light",
    ),
)
