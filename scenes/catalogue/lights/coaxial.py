"""Light along the camera's axis."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from scenes.camera.light import AreaPanel, Head, Light, lambert_power
from scenes.catalogue.entry import LightEntry
from scenes.catalogue.light_model import NO_AMBIENT, Ambient, Backdrop, Length, LightRecipeModel, Radiance
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent
from scenes.quantities.units import MM


class CoaxialLightRecipe(LightRecipeModel):
    """A square luminous plane that a beam splitter puts before the camera, along whose axis it shines.

    What faces the camera mirrors it and is bright; what tilts by more than half the angle that it is seen under is
    dark. The camera looks through it, and neither the splitter nor the camera is mirrored.
    """

    kind: Literal["coaxial"]
    width_mm: Extent = Field(description="Width and length of the luminous plane")
    distance_mm: Length = Field(description="From the part to the luminous plane, by way of the beam splitter")
    radiance_w_per_m2_sr: Radiance
    ambient_w_per_m2_sr: Ambient = NO_AMBIENT
    backdrop_w_per_m2_sr: Backdrop = None

    def sample(self, head: Head, stream: RandomStream) -> Light:
        """The luminous plane of one frame."""
        width = MM * stream.draw("width_mm", self.width_mm)
        place = np.array([*head.centre, 0.0]) + MM * stream.draw("distance_mm", self.distance_mm) * np.array(
            head.towards
        )
        radiance = stream.draw("radiance_w_per_m2_sr", self.radiance_w_per_m2_sr)
        x, y, z = (float(value) for value in np.cross(head.up, head.towards))
        panel = AreaPanel(
            position=(float(place[0]), float(place[1]), float(place[2])),
            direction=(-head.towards[0], -head.towards[1], -head.towards[2]),
            along=(x, y, z),
            width=width,
            length=width,
            power=lambert_power(radiance, width, width),
        )
        return Light(panels=(panel,), ambient=self.ambient(stream))


ENTRIES = (
    LightEntry(
        kind="coaxial",
        recipe=CoaxialLightRecipe,
        drawn=Light,
        title="Coaxial",
        tooltip="Light along the camera's axis, by way of a beam splitter",
        noun="coaxial light",
    ),
)
