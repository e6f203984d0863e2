"""Signs drawn with a felt-tip marker."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from procgen.layer import Family, Layer
from procgen.strokes import Marker, Sign
from scenes.atlas import Chart
from scenes.concrete import Concrete
from scenes.distribution import Constant
from scenes.kinds.chalk import sign_on
from scenes.kinds.placing import place_within
from scenes.kinds.severity import share_at
from scenes.kinds.sites import PlacedSection
from scenes.lot import Colour, Lot
from scenes.sections import Count, Degrees, Fine, Fraction

FAINTEST = 0.15  # share of the opacity at severity 0


class MarkerRecipe(PlacedSection):
    """See `procgen.strokes.Marker`; severity is how much ink the tip lets go of."""

    class_name: ClassVar[str] = "marker"
    family: ClassVar[Family] = "impurity"
    kind: Literal["marker"]
    count: Count
    severity: Fraction = Constant(1.0)
    sign: Sign = "circle"
    size_mm: Fine
    width_mm: Fine = Constant(2.0)
    turn_degrees: Degrees = Constant(0.0)
    colour: tuple[Fraction, Fraction, Fraction] = (Constant(0.005), Constant(0.02), Constant(0.2))
    opacity: Fraction = Constant(0.75)
    streaks: Fraction = Constant(0.08)
    fading: Fraction = Constant(0.1)

    def drawn(self, surface: Chart, lot: Lot) -> list[MarkerLayer]:
        """The signs of one frame."""
        return [self._one(surface, lot.at(number)) for number in range(lot.whole("count", self.count))]

    def _one(self, surface: Chart, lot: Lot) -> MarkerLayer:
        quantities = lot.quantities(self, omit=("count", "severity"))
        opacity = quantities.pop("opacity")
        return MarkerLayer(
            sign=self.sign,
            place=place_within(surface, lot, reach=0.5 * math.sqrt(2) * quantities["size"]),
            colour=lot.colour("colour", self.colour),
            opacity=opacity * share_at(self.severity, lot, least=FAINTEST),
            seed=lot.layer_seed(),
            **quantities,
        )


class MarkerLayer(Concrete):
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

    def grown(self, surface: Chart) -> Layer:
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
