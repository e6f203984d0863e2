"""What the recipes of all lights have in common."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from scenes.camera.light import Head, Light
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fraction, RecipeModel

Length = Annotated[Distribution, Within(0.1, 5000)]  # mm
Power = Annotated[Distribution, Within(0, 10_000)]  # W
Radiance = Annotated[
    Distribution,
    Within(0, 10_000),
    Field(title="Radiance", description="How bright its surface is, the same in every direction"),
]
Ambient = Annotated[
    Distribution,
    Within(0, 10_000),
    Field(title="Ambient", description="Light that the room adds, from everywhere"),
]
ZERO = Constant(0.0)
AmbientImbalance = Annotated[
    Fraction,
    Field(
        title="Ambient Imbalance",
        description="By which share the ambient light is brighter from one side, and darker from the other",
    ),
]
AmbientRotation = Annotated[
    Degrees,
    Field(title="Ambient Rotation", description="From where more ambient light comes: 0° is the right, 90° above"),
]
Backdrop = Annotated[
    Annotated[Distribution, Within(0, 10_000)] | None,
    Field(title="Backdrop", description="How bright what is seen beside the part is; off is the ambient light"),
]
Sides = Annotated[int, Field(strict=True, ge=1, le=64)]


class LightRecipeModel(RecipeModel):
    """Base of the recipes of lights."""

    if TYPE_CHECKING:
        kind: str
        ambient_w_per_m2_sr: Ambient
        ambient_imbalance: AmbientImbalance
        ambient_rotation_degrees: AmbientRotation
        backdrop_w_per_m2_sr: Backdrop

    @abstractmethod
    def sample(self, head: Head, stream: RandomStream) -> Light:
        """The light of one frame, where the head is that carries it."""

    def ambient(self, stream: RandomStream) -> float:
        """What the room adds, W/m²/sr."""
        return stream.draw("ambient_w_per_m2_sr", self.ambient_w_per_m2_sr)

    def drawn(self, head: Head, stream: RandomStream) -> Light:
        """What `sample` gives, in a room that is brighter to one side, before the backdrop."""
        room: dict[str, object] = {}
        if self.ambient_imbalance.high > 0:
            share = stream.draw("ambient_imbalance", self.ambient_imbalance)
            azimuth = math.radians(stream.draw("ambient_rotation_degrees", self.ambient_rotation_degrees))
            room["lean"] = (share * math.cos(azimuth), share * math.sin(azimuth))
        if self.backdrop_w_per_m2_sr is not None:
            room["backdrop"] = stream.draw("backdrop_w_per_m2_sr", self.backdrop_w_per_m2_sr)
        light = self.sample(head, stream)
        return light.model_copy(update=room) if room else light


def powers(sides: int, power: Distribution, imbalance: Distribution, stream: RandomStream) -> tuple[float, ...]:
    """Watts of each panel: equal shares of all, but for what they may differ by."""
    each = stream.draw("power_w", power) / sides
    spread = stream.draw("imbalance", imbalance)
    shares = stream.at("shares").generator().uniform(-1, 1, sides)
    return tuple(each * (1 + spread * float(share)) for share in shares)


def facing(distance: float, height: float) -> float:
    """The tilt (radians, from straight down) by which a panel so far aside and so high faces the middle."""
    return math.atan2(distance, height)
