"""What the recipes of all lights have in common."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from scenes.camera.light import Head, Light
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import RecipeModel

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
    Field(title="Ambient", description="Light that the room adds, evenly from everywhere"),
]
NO_AMBIENT = Constant(0.0)
Backdrop = Annotated[
    Annotated[Distribution, Within(0, 10_000)] | None,
    Field(title="Backdrop", description="How bright what is seen beside the part is; off is the ambient light"),
]
OpeningRadiance = Annotated[
    Annotated[Distribution, Within(0, 10_000)] | None,
    Field(title="Behind It", description="Of what is in the opening: 0 is a dark camera; off is the room"),
]
Sides = Annotated[int, Field(strict=True, ge=1, le=64)]


class LightRecipeModel(RecipeModel):
    """Base of the recipes of lights."""

    if TYPE_CHECKING:
        kind: str
        ambient_w_per_m2_sr: Ambient
        backdrop_w_per_m2_sr: Backdrop

    @abstractmethod
    def sample(self, head: Head, stream: RandomStream) -> Light:
        """The light of one frame, where the head is that carries it."""

    def ambient(self, stream: RandomStream) -> float:
        """What the room adds, W/m²/sr."""
        return stream.draw("ambient_w_per_m2_sr", self.ambient_w_per_m2_sr)

    def drawn(self, head: Head, stream: RandomStream) -> Light:
        """What `sample` gives, before the backdrop."""
        light = self.sample(head, stream)
        if self.backdrop_w_per_m2_sr is None:
            return light
        return light.model_copy(update={"backdrop": stream.draw("backdrop_w_per_m2_sr", self.backdrop_w_per_m2_sr)})


def powers(sides: int, power: Distribution, imbalance: Distribution, stream: RandomStream) -> tuple[float, ...]:
    """Watts of each panel: equal shares of all, but for what they may differ by."""
    each = stream.draw("power_w", power) / sides
    spread = stream.draw("imbalance", imbalance)
    shares = stream.at("shares").generator().uniform(-1, 1, sides)
    return tuple(each * (1 + spread * float(share)) for share in shares)


def facing(distance: float, height: float) -> float:
    """The tilt (radians, from straight down) by which a panel so far aside and so high faces the middle."""
    return math.atan2(distance, height)
