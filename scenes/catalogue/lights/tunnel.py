"""A tunnel over the part."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from scenes.camera.light import AreaPanel, Head, Light, lambert_power
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
from scenes.quantities.recipe_model import Degrees, Signed, together
from scenes.quantities.units import MM

Floats = NDArray[np.float64]

STRIPS = 48  # flat ones that make the cylinder


class TunnelLightRecipe(LightRecipeModel):
    """A luminous part of a cylinder about the part, open at both ends: what lies along it is lit all round.

    The camera looks through a square opening at its top. What faces the ends mirrors what lies beyond them.
    """

    kind: Literal["tunnel"]
    diameter_mm: Length = Field(description="Diameter of the cylinder")
    arc_degrees: Annotated[Distribution, Within(10, 320)] = Field(
        Constant(180.0), description="How far it goes round the part, both sides together"
    )
    length_mm: Length = Field(description="From one end to the other")
    radiance_w_per_m2_sr: Radiance
    rim_radiance_w_per_m2_sr: Radiance | None = Field(
        None, title="At Its Rims", description="To which it changes evenly on both sides; off is as everywhere"
    )
    imbalance: Signed = Field(
        Constant(0.0),
        title="Imbalance",
        description="By which share the side left of its axis is brighter, and the other darker",
    )
    opening_mm: Annotated[Distribution, Within(0, 5000)] = Field(
        Constant(0.0), description="Side of the opening that the camera looks through"
    )
    opening_radiance_w_per_m2_sr: OpeningRadiance = None
    rotation_degrees: Degrees = Field(Constant(0.0), description="Where its axis points: 0° is to the right, 90° above")
    ambient_w_per_m2_sr: Ambient = NO_AMBIENT
    backdrop_w_per_m2_sr: Backdrop = None

    @model_validator(mode="after")
    def _opening_is_smaller(self) -> Self:
        chord = self.diameter_mm.low * math.sin(math.radians(min(self.arc_degrees.low, 180)) / 2)
        least = min(self.length_mm.low, chord)
        if self.opening_mm.high >= least:
            raise together(
                f"found opening_mm up to {self.opening_mm.high:g} and a tunnel of {least:.3g} mm; expected an opening "
                "that is smaller than length_mm, diameter_mm and what arc_degrees covers"
            )
        return self

    def sample(self, head: Head, stream: RandomStream) -> Light:
        """The tunnel of one frame."""
        radius = MM * stream.draw("diameter_mm", self.diameter_mm) / 2
        length = MM * stream.draw("length_mm", self.length_mm)
        opening = MM * stream.draw("opening_mm", self.opening_mm)
        top = stream.draw("radiance_w_per_m2_sr", self.radiance_w_per_m2_sr)
        rim = top
        if self.rim_radiance_w_per_m2_sr is not None:
            rim = stream.draw("rim_radiance_w_per_m2_sr", self.rim_radiance_w_per_m2_sr)
        arc = math.radians(stream.draw("arc_degrees", self.arc_degrees))
        imbalance = stream.draw("imbalance", self.imbalance)
        azimuth = math.radians(stream.draw("rotation_degrees", self.rotation_degrees))
        axis = np.array([math.cos(azimuth), math.sin(azimuth), 0.0])
        left = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
        centre = np.array([*head.centre, 0.0])

        def panel(angle: float, width: float, middle: float, long: float, radiance: float) -> AreaPanel:
            """One that stands at an angle from the vertical to the left; middle and long: place and length along it."""
            inward = -math.sin(angle) * left - np.array([0.0, 0.0, math.cos(angle)])
            place = centre - radius * inward + middle * axis
            return AreaPanel(
                position=vector(place),
                direction=vector(inward),
                along=vector(axis),
                width=long,
                length=width,
                power=lambert_power(radiance, long, width),
            )

        def radiance_at(angle: float) -> float:
            return (top + (rim - top) * 2 * abs(angle) / arc) * (1 + imbalance * math.sin(angle))

        hole = 2 * math.asin(opening / (2 * radius))  # angle that the opening takes
        step = (arc - hole) / STRIPS
        one_side = hole / 2 + (np.arange(STRIPS // 2) + 0.5) * step
        width = 2 * radius * math.tan(step / 2)
        panels = [panel(angle, width, 0.0, length, radiance_at(angle)) for angle in [*one_side, *-one_side]]
        if opening > 0:
            beside = (length - opening) / 2
            panels += [panel(0.0, opening, side * (opening + beside) / 2, beside, radiance_at(0.0)) for side in (-1, 1)]
            if self.opening_radiance_w_per_m2_sr is not None:
                seen = stream.draw("opening_radiance_w_per_m2_sr", self.opening_radiance_w_per_m2_sr)
                panels.append(panel(0.0, opening, 0.0, opening, seen))
        return Light(panels=tuple(panels), ambient=self.ambient(stream))


def vector(values: Floats) -> tuple[float, float, float]:
    """Three numbers of an array (3,)."""
    return float(values[0]), float(values[1]), float(values[2])


ENTRIES = (
    LightEntry(
        kind="tunnel",
        recipe=TunnelLightRecipe,
        drawn=Light,
        title="Tunnel",
        tooltip="Part of a luminous cylinder about the part, open at both ends",
        noun="tunnel light",
    ),
)
