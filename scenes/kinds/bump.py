"""Bumps of sheet pressed out from behind."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from procgen.bumps import Bump
from procgen.layer import Family, Layer
from scenes.atlas import Chart
from scenes.concrete import Concrete, NotNegative, Positive
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.placing import Origin, anchored, place_at
from scenes.kinds.severity import share_at
from scenes.kinds.sites import PlacedSection
from scenes.lot import Lot
from scenes.sections import Count, Fine, Fraction, Signed

FAINTEST = 0.15  # share of a bump's height, and so of the load behind it, at severity 0


class BumpRecipe(PlacedSection):
    """See `procgen.bumps`; severity is the load from behind, which the height follows in proportion.

    diameter_mm: of the circle that stays put. contact_share: of that diameter, what pressed from behind.
    """

    class_name: ClassVar[str] = "bump"
    family: ClassVar[Family] = "defect"
    kind: Literal["bump"]
    count: Count
    origin: Origin = "anywhere"
    severity: Fraction = Constant(1.0)
    diameter_mm: Fine
    height_um: Annotated[Distribution, Within(0.1, 10_000)]
    contact_share: Fraction = Constant(0.2)
    reflectance_change: Signed = Constant(0.0)
    roughness_change: Signed = Constant(0.0)

    def drawn(self, surface: Chart, lot: Lot) -> list[BumpLayer]:
        """The bumps of one frame."""
        return [_bump(self, surface, lot.at(number)) for number in range(lot.whole("count", self.count))]


class BumpLayer(Concrete):
    """One bump round `place`, metres on the chart of the inspected surface."""

    kind: Literal["bump"] = "bump"
    radius: Positive
    height: Positive
    contact_radius: NotNegative
    reflectance_change: float
    roughness_change: float
    place: tuple[float, float]

    def grown(self, surface: Chart) -> Layer:
        """The bump in the surface."""
        return Bump(anchored(surface, self.place), **self.model_dump(exclude={"kind", "place"}))


def _bump(recipe: BumpRecipe, surface: Chart, lot: Lot) -> BumpLayer:
    quantities = lot.quantities(recipe, omit=("count", "severity"))
    radius = quantities.pop("diameter") / 2
    height = quantities.pop("height") * share_at(recipe.severity, lot, least=FAINTEST)
    place = place_at(recipe.origin, surface, lot, reach=radius)
    contact_radius = radius * quantities.pop("contact_share")
    return BumpLayer(radius=radius, height=height, contact_radius=contact_radius, place=place, **quantities)
