"""What the recipes of all finishes have in common."""

import math
from abc import abstractmethod
from collections.abc import Hashable
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import Field

from procgen.surface.layer import Finish
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import Colour, RandomStream
from scenes.quantities.recipe_model import Fine, Fraction, Ratio, RecipeModel, together

Roughness = Annotated[Distribution, Within(0.001, 2000)]  # um, Ra; the most is a road
SPECKS_PER_SQUARE_RADIUS = 2.0  # more cannot lie apart on the jittered grid that places them; see `speck_cell`

Brightness = Annotated[Distribution, Within(0, 4)]


class DrawnFinish(Finish, Hashable, Protocol):
    """A drawn finish."""

    @property
    def kind(self) -> str: ...


class FinishRecipeModel(RecipeModel):
    """Base of the recipes of finishes."""

    if TYPE_CHECKING:
        kind: str

    @abstractmethod
    def sample(self, stream: RandomStream) -> DrawnFinish:
        """The finish of one frame."""


class ProfiledFinishRecipe(FinishRecipeModel):
    """What `procgen.finish.profiled.ProfiledFinish` asks of every finish."""

    ra_um: Roughness = Field(title="Ra", description="Arithmetic mean roughness of the profile (ISO 4287)")
    base_colour: tuple[Fraction, Fraction, Fraction] = Field(
        description="Colour of the bare surface, linear red, green and blue"
    )
    brightness: Brightness = Field(Constant(1.0), description="Multiplies the base colour")
    roughness: Fraction = Field(description="Of the reflection: 0 is a mirror, 1 is chalk")
    metallic: Fraction = Field(Constant(1.0), description="Metal or not: 1 reflects as a metal does")
    coat: Fraction = Field(Constant(0.0), description="Weight of a clear coat on top")
    contrast: Ratio = Field(Constant(0.0), description="How much darker valleys are than crests")
    mottle: Ratio = Field(Constant(0.0), description="Contrast of large soft clouds")
    mottle_size_mm: Fine = Field(Constant(10.0), description="Size of a cloud")

    def parameters(self, stream: RandomStream) -> dict[str, Any]:
        """Everything drawn for one frame, under the names that the finish has for it."""
        quantities = stream.quantities(self)
        colour = stream.colour("base_colour", self.base_colour)
        return quantities | {"base_colour": dimmed(colour, quantities.pop("brightness")), "seed": stream.layer_seed()}


def dimmed(colour: Colour, brightness: float) -> Colour:
    """The colour times a brightness, as far as a surface can reflect."""
    red, green, blue = (min(1.0, brightness * channel) for channel in colour)
    return red, green, blue


def heading(angle: float) -> tuple[float, float, float]:
    """The direction at an angle (radians) from x towards y."""
    return math.cos(angle), math.sin(angle), 0.0


def require_apart(name: str, density_per_cm2: Distribution, radius_um: Distribution) -> None:
    """Raise the error of a section whose specks, called `name`, may be too many and too large to lie apart."""
    per_square_mm, radius_mm = density_per_cm2.high / 100, radius_um.high / 1000
    if per_square_mm * radius_mm**2 >= SPECKS_PER_SQUARE_RADIUS:
        raise together(
            f"found {name}_density_per_cm2 up to {per_square_mm * 100:g} of {name}_radius_um up to "
            f"{radius_mm * 1000:g}; expected fewer than {100 * SPECKS_PER_SQUARE_RADIUS / radius_mm**2:.0f}, "
            "or they merge"
        )
