"""Signs drawn with a felt-tip marker."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field

from procgen.impurities.strokes import Marker, Sign
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import ImpurityEntry
from scenes.catalogue.impurities.chalk import sign_on
from scenes.catalogue.placement.placing import place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import Colour, RandomStream
from scenes.quantities.recipe_model import Count, Degrees, Fine, Fraction, Severity
from scenes.quantities.scene_model import SceneModel

FAINTEST = 0.15  # share of the opacity at severity 0


class MarkerRecipe(PlacedRecipeModel):
    """See `procgen.impurities.strokes.Marker`; severity is how much ink the tip lets go of."""

    class_name: ClassVar[str] = "marker"
    family: ClassVar[Family] = "impurity"
    kind: Literal["marker"]
    count: Count
    severity: Severity = Constant(1.0)
    sign: Sign = Field("circle", description="What was drawn")
    size_mm: Fine = Field(description="Size from side to side")
    width_mm: Fine = Field(Constant(2.0), description="Width of a line")
    turn_degrees: Degrees = Field(Constant(0.0), description="Turn on the surface")
    colour: tuple[Fraction, Fraction, Fraction] = Field(
        (Constant(0.005), Constant(0.02), Constant(0.2)), description="Linear red, green and blue"
    )
    opacity: Fraction = Field(Constant(0.75), description="Share of the surface that it hides")
    streaks: Fraction = Field(Constant(0.08), description="How unevenly the tip lets go of its ink")
    fading: Fraction = Field(
        Constant(0.1), description="Share of the ink that is missing at the end of a line as the tip runs dry"
    )

    def sample(self, surface: Chart, stream: RandomStream) -> list[MarkerLayer]:
        """The signs of one frame."""
        return [self._one(surface, stream.at(number)) for number in range(stream.whole("count", self.count))]

    def _one(self, surface: Chart, stream: RandomStream) -> MarkerLayer:
        quantities = stream.quantities(self, omit=("count", "severity"))
        opacity = quantities.pop("opacity")
        return MarkerLayer(
            sign=self.sign,
            place=place_within(surface, stream, reach=0.5 * math.sqrt(2) * quantities["size"]),
            colour=stream.colour("colour", self.colour),
            opacity=opacity * share_at(self.severity, stream, least=FAINTEST),
            seed=stream.layer_seed(),
            **quantities,
        )


class MarkerLayer(SceneModel):
    """One sign of `size` round `place`, metres on the chart, turned by `turn` radians."""

    kind: Literal["marker"] = "marker"
    sign: Sign
    place: tuple[float, float]
    size: float
    turn: float
    width: float
    colour: Colour
    opacity: float
    streaks: float
    fading: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The lines that the hand draws."""
        return Marker(
            lines=sign_on(surface, self.sign, self.place, self.size, self.turn, self.seed),
            width=self.width,
            colour=self.colour,
            opacity=self.opacity,
            streaks=self.streaks,
            fading=self.fading,
            seed=self.seed,
        )


ENTRIES = (
    ImpurityEntry(
        kind="marker",
        recipe=MarkerRecipe,
        drawn=MarkerLayer,
        title="Marker",
        tooltip="A sign drawn with a felt-tip marker",
        noun="marker",
    ),
)
