"""Lint and hair."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np

from procgen.fibres import Fibre, curled
from procgen.layer import Family, Layer
from procgen.paths import Path
from scenes.atlas import Chart
from scenes.concrete import Concrete
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.placing import place_within
from scenes.kinds.sites import PlacedSection
from scenes.lot import Colour, Lot
from scenes.sections import Count, Degrees, Fine, Fraction


class FibreRecipe(PlacedSection):
    """See `procgen.fibres`; curl_degrees is the turn from end to end, waviness_degrees how far it strays from that."""

    class_name: ClassVar[str] = "fibre"
    family: ClassVar[Family] = "impurity"
    kind: Literal["fibre"]
    count: Count
    length_mm: Fine
    width_um: Annotated[Distribution, Within(1, 1000)]
    curl_degrees: Degrees = Constant(0.0)
    waviness_degrees: Annotated[Distribution, Within(0, 720)] = Constant(120.0)
    colour: tuple[Fraction, Fraction, Fraction] = (Constant(0.05), Constant(0.06), Constant(0.1))
    opacity: Fraction = Constant(0.9)

    def drawn(self, surface: Chart, lot: Lot) -> list[FibreLayer]:
        """The fibres of one frame."""
        return [self._one(surface, lot.at(number)) for number in range(lot.whole("count", self.count))]

    def _one(self, surface: Chart, lot: Lot) -> FibreLayer:
        quantities = lot.quantities(self, omit=("count",))
        return FibreLayer(
            **quantities,
            place=place_within(surface, lot, reach=0.5 * quantities["length"]),
            colour=lot.colour("colour", self.colour),
            seed=lot.layer_seed(),
        )


class FibreLayer(Concrete):
    """One fibre that lies round `place`, metres on the chart; curl and waviness in radians."""

    kind: Literal["fibre"] = "fibre"
    place: tuple[float, float]
    length: float
    width: float
    curl: float
    waviness: float
    colour: Colour
    opacity: float
    seed: int

    def grown(self, surface: Chart) -> Layer:
        """The fibre as it fell."""
        course = curled(self.length, self.curl, self.waviness, np.random.default_rng(self.seed))
        return Fibre(Path(surface.embed(np.array(self.place) + course)), self.width, self.colour, self.opacity)
