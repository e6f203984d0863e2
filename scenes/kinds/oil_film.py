"""Thin films of oil."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from procgen.layer import Family, Layer
from procgen.oil import Metal, OilFilm
from scenes.atlas import Chart
from scenes.concrete import Concrete
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.placing import anchored, place_within
from scenes.kinds.severity import share_at
from scenes.kinds.sites import PlacedSection
from scenes.lot import Lot
from scenes.sections import Count, Degrees, Fine, Fraction, Signed

FAINTEST = 0.05  # share of the thickness at severity 0


class OilFilmRecipe(PlacedSection):
    """See `procgen.oil.OilFilm`; severity is the amount of oil: from a trace without colour to the thickness given."""

    class_name: ClassVar[str] = "oil_film"
    family: ClassVar[Family] = "impurity"
    kind: Literal["oil_film"]
    count: Count
    severity: Fraction = Constant(1.0)
    radius_mm: Fine
    thickness_nm: Annotated[Distribution, Within(1, 4000)]
    unevenness: Fraction = Constant(0.4)
    raggedness: Fraction = Constant(0.25)
    elongation: Annotated[Distribution, Within(0.1, 10)] = Constant(1.0)
    turn_degrees: Degrees = Constant(0.0)
    metal: Metal = "iron"
    roughness_change: Signed = Constant(-0.05)

    def drawn(self, surface: Chart, lot: Lot) -> list[OilFilmLayer]:
        """The films of one frame."""
        return [self._one(surface, lot.at(number)) for number in range(lot.whole("count", self.count))]

    def _one(self, surface: Chart, lot: Lot) -> OilFilmLayer:
        quantities = lot.quantities(self, omit=("count", "severity"))
        anchor = anchored(surface, place_within(surface, lot, reach=quantities["radius"]), quantities.pop("turn"))
        quantities["thickness"] *= share_at(self.severity, lot, least=FAINTEST)
        return OilFilmLayer(film=OilFilm(anchor=anchor, metal=self.metal, seed=lot.layer_seed(), **quantities))


class OilFilmLayer(Concrete):
    """One film of oil."""

    kind: Literal["oil_film"] = "oil_film"
    film: OilFilm

    def grown(self, surface: Chart) -> Layer:
        """The film itself: it has nothing to simulate."""
        return self.film
