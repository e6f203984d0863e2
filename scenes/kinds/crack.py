"""Cracks along the path of least fracture energy."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np

from procgen.cracks import Crack, CrackParameters, simulate_minimum_energy_path
from procgen.layer import Family, Layer
from scenes.atlas import Chart
from scenes.concrete import Concrete
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.placing import place_on_border, place_within
from scenes.lot import Lot
from scenes.sections import Count, Degrees, Fine, Section, Signed

STEPS_PER_CORRELATION = 2  # of the grid on which a crack finds its way
MOST_STEPS = 400  # of that grid from end to end; a tenth of a second
TIP_TAPER = 0.15  # share of a crack's length over which it closes towards a tip inside the part


class CrackRecipe(Section):
    """See `procgen.cracks`; the cracks of a frame are drawn one by one."""

    class_name: ClassVar[str] = "crack"
    family: ClassVar[Family] = "defect"
    kind: Literal["crack"]
    count: Count
    origin: Literal["anywhere", "edge", "ends"] = "anywhere"
    length_mm: Fine
    angle_degrees: Degrees
    width_um: Annotated[Distribution, Within(1, 10_000)]
    width_variation: Annotated[Distribution, Within(0, 2)] = Constant(0.45)
    width_correlation_mm: Fine = Constant(1.0)
    depth_um: Annotated[Distribution, Within(1, 10_000)]
    toughness_sigma: Annotated[Distribution, Within(0, 3)] = Constant(0.6)
    toughness_correlation_mm: Fine = Constant(0.4)
    reflectance_change: Signed
    roughness_change: Signed = Constant(0.3)

    def drawn(self, surface: Chart, lot: Lot) -> list[CrackLayer]:
        """The cracks of one frame."""
        return [_crack(self, surface, lot.at(number)) for number in range(lot.whole("count", self.count))]


class CrackLayer(Concrete):
    """One crack, to be grown from `start` to `end`, metres on the chart of the inspected surface."""

    kind: Literal["crack"] = "crack"
    parameters: CrackParameters
    reflectance_change: float
    roughness_change: float
    start: tuple[float, float]
    end: tuple[float, float]
    seed: int

    def grown(self, surface: Chart) -> Layer:
        """The field over the surface that the crack grows into."""
        path = simulate_minimum_energy_path(self.parameters, self.start, self.end, np.random.default_rng(self.seed))
        return Crack(path.embedded(surface.embed), self.reflectance_change, self.roughness_change)


def _crack(recipe: CrackRecipe, surface: Chart, lot: Lot) -> CrackLayer:
    quantities = lot.quantities(recipe, omit=("count",))
    length, turn = quantities.pop("length"), quantities.pop("angle")
    reflectance_change, roughness_change = quantities.pop("reflectance_change"), quantities.pop("roughness_change")
    if recipe.origin == "anywhere":
        (u, v), heading = place_within(surface, lot), turn
        start = (u - length / 2 * math.cos(heading), v - length / 2 * math.sin(heading))
    else:
        start, inward = place_on_border(surface, lot, ends_only=recipe.origin == "ends")
        heading = inward + turn
    return CrackLayer(
        parameters=CrackParameters(
            **quantities,
            grid_spacing=max(quantities["toughness_correlation"] / STEPS_PER_CORRELATION, length / MOST_STEPS),
            start_taper=TIP_TAPER if recipe.origin == "anywhere" else 0.0,
            end_taper=TIP_TAPER,
        ),
        reflectance_change=reflectance_change,
        roughness_change=roughness_change,
        start=start,
        end=(start[0] + length * math.cos(heading), start[1] + length * math.sin(heading)),
        seed=lot.layer_seed(),
    )
