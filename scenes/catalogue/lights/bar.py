"""Bars of light beside the part."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from scenes.camera.light import Head, Light, ring_light
from scenes.catalogue.entry import LightEntry
from scenes.catalogue.light_model import (
    NO_AMBIENT,
    Ambient,
    Backdrop,
    Length,
    LightRecipeModel,
    Power,
    Sides,
    facing,
    powers,
)
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Extent, Fraction
from scenes.quantities.units import MM


class BarLightRecipe(LightRecipeModel):
    """Straight bars beside the part that face its middle: relief across them casts its shade to one side.

    One stands alone, two face each other, more stand evenly about the part.
    """

    kind: Literal["bar"]
    bars: Sides = Field(1, description="How many bars there are, evenly about the part")
    distance_mm: Length = Field(description="From the middle to the bar, level")
    height_mm: Length = Field(description="Height of the bars above the part")
    length_mm: Extent = Field(description="Length of a bar")
    width_mm: Extent = Field(description="Width of a bar, across it")
    power_w: Power = Field(description="Power of all bars together")
    imbalance: Fraction = Field(
        Constant(0.0), title="Imbalance", description="Share by which the bars may differ in power"
    )
    rotation_degrees: Degrees = Field(
        Constant(0.0), description="Where the first bar stands: 0° is to the right, 90° above"
    )
    ambient_w_per_m2_sr: Ambient = NO_AMBIENT
    backdrop_w_per_m2_sr: Backdrop = None

    def sample(self, head: Head, stream: RandomStream) -> Light:
        """The bars of one frame."""
        distance = MM * stream.draw("distance_mm", self.distance_mm)
        height = MM * stream.draw("height_mm", self.height_mm)
        return Light(
            panels=ring_light(
                diameter=2 * distance,
                height=height,
                panel_length=MM * stream.draw("length_mm", self.length_mm),
                panel_width=MM * stream.draw("width_mm", self.width_mm),
                tilt=facing(distance, height),
                rotation=math.radians(stream.draw("rotation_degrees", self.rotation_degrees)),
                scale=1.0,
                powers=powers(self.bars, self.power_w, self.imbalance, stream),
                centre=head.centre,
            ),
            ambient=self.ambient(stream),
        )


ENTRIES = (
    LightEntry(
        kind="bar",
        recipe=BarLightRecipe,
        drawn=Light,
        title="Bar Light",
        tooltip="Straight bars of light beside the part",
        noun="bar light",
    ),
)
