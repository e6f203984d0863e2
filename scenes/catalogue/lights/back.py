"""A luminous plane behind the part."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scenes.camera.light import AreaPanel, Head, Light, lambert_power
from scenes.catalogue.entry import LightEntry
from scenes.catalogue.light_model import NO_AMBIENT, Ambient, Backdrop, Length, LightRecipeModel, Radiance
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent
from scenes.quantities.units import MM


class BackLightRecipe(LightRecipeModel):
    """A luminous plane behind the part, which shows it as a silhouette: outlines, holes and chipped edges."""

    kind: Literal["back"]
    width_mm: Extent = Field(description="Width of the luminous plane")
    length_mm: Extent = Field(description="Length of the luminous plane, from top to bottom")
    distance_mm: Length = Field(description="How far the plane lies below the part's upper side")
    radiance_w_per_m2_sr: Radiance
    ambient_w_per_m2_sr: Ambient = NO_AMBIENT
    backdrop_w_per_m2_sr: Backdrop = None

    def sample(self, head: Head, stream: RandomStream) -> Light:
        """The luminous plane of one frame."""
        width = MM * stream.draw("width_mm", self.width_mm)
        length = MM * stream.draw("length_mm", self.length_mm)
        panel = AreaPanel(
            position=(*head.centre, -MM * stream.draw("distance_mm", self.distance_mm)),
            direction=(0.0, 0.0, 1.0),
            along=(1.0, 0.0, 0.0),
            width=width,
            length=length,
            power=lambert_power(stream.draw("radiance_w_per_m2_sr", self.radiance_w_per_m2_sr), width, length),
            seen=True,
        )
        return Light(panels=(panel,), ambient=self.ambient(stream))


ENTRIES = (
    LightEntry(
        kind="back",
        recipe=BackLightRecipe,
        drawn=Light,
        title="Back Light",
        tooltip="A luminous plane behind the part, which shows it as a silhouette",
        noun="back light",
    ),
)
