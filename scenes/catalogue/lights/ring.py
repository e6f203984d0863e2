"""A ring of panels about the camera."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from scenes.camera.light import Head, Light, closed_ring_panel_length, ring_light
from scenes.catalogue.entry import LightEntry
from scenes.catalogue.light_model import NO_AMBIENT, Ambient, Backdrop, Length, LightRecipeModel, Power, Sides, powers
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Extent, Fraction, together
from scenes.quantities.units import MM


class RingLightRecipe(LightRecipeModel):
    """Panels in a circle about the camera; see `scenes.camera.light.ring_light`."""

    kind: Literal["ring"]
    sides: Sides = Field(description="How many panels the ring has")
    diameter_mm: Annotated[Distribution, Within(0, 5000)] = Field(description="From panel to opposite panel")
    height_mm: Length = Field(description="Height of the panels above the part")
    panel_width_mm: Extent = Field(description="Width of a panel, across the ring")
    panel_length_mm: Extent | None = Field(None, description="Length of a panel along the ring; off closes the ring")
    tilt_degrees: Annotated[Distribution, Within(-90, 90)] = Field(
        Constant(0.0), description="By how much the panels turn inwards from shining straight down"
    )
    power_w: Power = Field(description="Power of all panels together")
    imbalance: Fraction = Field(
        Constant(0.0), title="Imbalance", description="Share by which the panels may differ in power"
    )
    rotation_degrees: Degrees = Field(Constant(0.0), description="Turn of the ring of lights")
    scale: Annotated[Distribution, Within(0.01, 100)] = Field(
        Constant(1.0), description="Enlarges the ring and its panels, not its height"
    )
    ambient_w_per_m2_sr: Ambient = NO_AMBIENT
    backdrop_w_per_m2_sr: Backdrop = None

    @model_validator(mode="after")
    def _closes(self) -> Self:
        if self.panel_length_mm is None and (self.sides < 3 or self.diameter_mm.low <= 0):
            raise together(
                f"found sides {self.sides} and diameter_mm from {self.diameter_mm.low:g} without panel_length_mm; "
                "expected panel_length_mm, which only a closed ring (3 sides or more, diameter above 0) can do without"
            )
        return self

    def sample(self, head: Head, stream: RandomStream) -> Light:
        """The ring of one frame."""
        diameter = MM * stream.draw("diameter_mm", self.diameter_mm)
        if self.panel_length_mm is None:
            panel_length = closed_ring_panel_length(self.sides, diameter)
        else:
            panel_length = MM * stream.draw("panel_length_mm", self.panel_length_mm)
        return Light(
            panels=ring_light(
                diameter=diameter,
                height=MM * stream.draw("height_mm", self.height_mm),
                panel_length=panel_length,
                panel_width=MM * stream.draw("panel_width_mm", self.panel_width_mm),
                tilt=math.radians(stream.draw("tilt_degrees", self.tilt_degrees)),
                rotation=math.radians(stream.draw("rotation_degrees", self.rotation_degrees)),
                scale=stream.draw("scale", self.scale),
                powers=powers(self.sides, self.power_w, self.imbalance, stream),
                centre=head.centre,
            ),
            ambient=self.ambient(stream),
        )


ENTRIES = (
    LightEntry(
        kind="ring",
        recipe=RingLightRecipe,
        drawn=Light,
        title="Ring",
        tooltip="A ring of panels about the camera",
        noun="ring light",
    ),
)
