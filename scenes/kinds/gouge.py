"""Gouges that something blunt tore."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from procgen.gouges import Gouge
from procgen.layer import Family, Layer
from procgen.paths import Path, arc, sagitta
from scenes.atlas import Chart
from scenes.concrete import Concrete, NotNegative, Positive
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.placing import Origin, place_line
from scenes.kinds.severity import share_at
from scenes.kinds.sites import PlacedSection
from scenes.lot import Lot
from scenes.sections import Count, Degrees, Fine, Fraction, Signed

FAINTEST = 0.1  # share of a gouge's depth at severity 0

Share = Annotated[Distribution, Within(0, 0.45)]


class GougeRecipe(PlacedSection):
    """See `procgen.gouges`; severity is the depth that the tool dug to, and the width goes with its root.

    run_in, smear: shares of the length over which the tool digs in, and over which the torn metal lies smeared.
    smear_height, lip: over the depth.
    """

    class_name: ClassVar[str] = "gouge"
    family: ClassVar[Family] = "defect"
    kind: Literal["gouge"]
    count: Count
    origin: Origin = "anywhere"
    severity: Fraction = Constant(1.0)
    length_mm: Fine
    angle_degrees: Degrees
    bend_degrees: Annotated[Distribution, Within(-180, 180)] = Constant(0.0)
    width_um: Annotated[Distribution, Within(1, 50_000)]
    depth_um: Annotated[Distribution, Within(0.1, 10_000)]
    run_in: Share = Constant(0.2)
    smear: Share = Constant(0.12)
    smear_height: Fraction = Constant(0.5)
    ragged: Fraction = Constant(0.25)
    ragged_length_mm: Fine = Constant(0.8)
    tear: Fraction = Constant(0.2)
    lip: Fraction = Constant(0.3)
    reflectance_change: Signed = Constant(0.0)
    roughness_change: Signed = Constant(0.2)

    def drawn(self, surface: Chart, lot: Lot) -> list[GougeLayer]:
        """The gouges of one frame."""
        return [_gouge(self, surface, lot.at(number)) for number in range(lot.whole("count", self.count))]


class GougeLayer(Concrete):
    """One gouge from `start` (metres on the chart), its middle heading in the direction `heading` (radians).

    run_in, smear: shares of the length.
    """

    kind: Literal["gouge"] = "gouge"
    start: tuple[float, float]
    length: Positive
    heading: float
    bend: float
    width: Positive
    depth: Positive
    run_in: NotNegative
    smear: NotNegative
    smear_height: NotNegative
    ragged: NotNegative
    ragged_length: Positive
    tear: NotNegative
    lip: NotNegative
    reflectance_change: float
    roughness_change: float
    seed: int

    def grown(self, surface: Chart) -> Layer:
        """The gouge in the surface."""
        path = Path(surface.embed(arc(self.start, self.length, self.heading, self.bend)))
        placed = {"kind", "start", "length", "heading", "bend", "run_in", "smear"}
        run_in, smear = self.run_in * path.length, self.smear * path.length
        return Gouge(path, run_in=run_in, smear=smear, **self.model_dump(exclude=placed))


def _gouge(recipe: GougeRecipe, surface: Chart, lot: Lot) -> GougeLayer:
    quantities = lot.quantities(recipe, omit=("count", "severity"))
    share = share_at(recipe.severity, lot, least=FAINTEST)
    quantities["width"] *= math.sqrt(share)
    depth = quantities["depth"] = quantities["depth"] * share
    for name in ("smear_height", "lip"):
        quantities[name] *= depth
    start, heading = place_line(
        recipe.origin,
        surface,
        lot,
        quantities["length"],
        quantities.pop("angle"),
        reach=0.5 * quantities["width"] + sagitta(quantities["length"], quantities["bend"]),
    )
    return GougeLayer(start=start, heading=heading, seed=lot.layer_seed(), **quantities)
