"""Signs drawn in chalk."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.impurities.strokes import Chalk, Sign, hand_drawn
from procgen.surface.layer import Family, Layer
from procgen.surface.paths import Path
from scenes.catalogue.entry import ImpurityEntry
from scenes.catalogue.placement.placing import place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import Colour, RandomStream
from scenes.quantities.recipe_model import Count, Degrees, Fine, Fraction, Severity
from scenes.quantities.scene_model import SceneModel

FAINTEST = 0.15  # share of the pressure at severity 0


class ChalkRecipe(PlacedRecipeModel):
    """See `procgen.impurities.strokes.Chalk`; severity is how hard the chalk was pressed. lay_degrees: of the finish
    below."""

    class_name: ClassVar[str] = "chalk"
    family: ClassVar[Family] = "impurity"
    kind: Literal["chalk"]
    count: Count
    severity: Severity = Constant(1.0)
    sign: Sign = Field("cross", description="What was drawn")
    size_mm: Fine = Field(description="Size from side to side")
    width_mm: Fine = Field(Constant(4.0), description="Left to right")
    turn_degrees: Degrees = Field(Constant(0.0), description="Turn on the surface")
    colour: tuple[Fraction, Fraction, Fraction] = Field(
        (Constant(0.85), Constant(0.85), Constant(0.82)), description="Linear red, green and blue"
    )
    pressure: Fraction = Field(Constant(0.6), description="Share of the surface that the middle of a line covers")
    lay_degrees: Degrees = Field(
        Constant(0.0), description="Direction of the marks of the surface below, off whose crests the chalk rubs"
    )
    tooth_along_um: Annotated[Distribution, Within(1, 100_000)] = Field(
        Constant(600.0),
        title="Tooth Along",
        description="Size of the relief that the chalk rubs off on, along the marks",
    )
    tooth_across_um: Annotated[Distribution, Within(1, 10_000)] = Field(
        Constant(100.0),
        title="Tooth Across",
        description="Size of the relief that the chalk rubs off on, across the marks",
    )

    def sample(self, surface: Chart, stream: RandomStream) -> list[ChalkLayer]:
        """The signs of one frame."""
        return [self._one(surface, stream.at(number)) for number in range(stream.whole("count", self.count))]

    def _one(self, surface: Chart, stream: RandomStream) -> ChalkLayer:
        quantities = stream.quantities(self, omit=("count", "severity"))
        lay, pressure = quantities.pop("lay"), quantities.pop("pressure")
        return ChalkLayer(
            sign=self.sign,
            place=place_within(surface, stream, reach=0.5 * math.sqrt(2) * quantities["size"]),
            colour=stream.colour("colour", self.colour),
            pressure=pressure * share_at(self.severity, stream, least=FAINTEST),
            lay=(math.cos(lay), math.sin(lay), 0.0),
            seed=stream.layer_seed(),
            **quantities,
        )


class ChalkLayer(SceneModel):
    """One sign of `size` round `place`, metres on the chart, turned by `turn` radians."""

    kind: Literal["chalk"] = "chalk"
    sign: Sign
    place: tuple[float, float]
    size: float
    turn: float
    width: float
    colour: Colour
    pressure: float
    lay: tuple[float, float, float]
    tooth_along: float
    tooth_across: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The lines that the hand draws."""
        return Chalk(
            lines=sign_on(surface, self.sign, self.place, self.size, self.turn, self.seed),
            width=self.width,
            colour=self.colour,
            pressure=self.pressure,
            lay=self.lay,
            tooth_along=self.tooth_along,
            tooth_across=self.tooth_across,
            seed=self.seed,
        )


ENTRIES = (
    ImpurityEntry(
        kind="chalk",
        recipe=ChalkRecipe,
        drawn=ChalkLayer,
        title="Chalk",
        tooltip="A sign drawn in chalk",
        noun="chalk",
        countable=False,
    ),
)


def sign_on(
    surface: Chart, sign: Sign, place: tuple[float, float], size: float, turn: float, seed: int
) -> tuple[Path, ...]:
    """The lines of a sign that a hand draws round a place on the chart (m), turned by `turn` radians."""
    cosine, sine = math.cos(turn), math.sin(turn)
    turned = np.array([[cosine, sine], [-sine, cosine]])
    lines = hand_drawn(sign, size, np.random.default_rng(seed))
    return tuple(Path(surface.embed(np.array(place) + line @ turned)) for line in lines)
