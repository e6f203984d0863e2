"""Cracks that run by the largest hoop stress, and fork."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from procgen.cracks import WalkParameters, simulate_fracture_walk
from procgen.layer import Layer
from scenes.atlas import Chart
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.opening import CrackedLayer, OpeningRecipe, drawn_opening
from scenes.kinds.placing import Run, place_on_border, place_within
from scenes.kinds.sites import PlacedSection
from scenes.lot import Lot
from scenes.sections import Count, Degrees, Fine, Ratio

STEPS_PER_CRACK = 400  # at most, so that fine grains do not make long cracks slow
START_TAPER = 0.15  # share of its length over which a crack closes towards a start inside the part


class BranchingCrackRecipe(PlacedSection, OpeningRecipe):
    """See `procgen.cracks.walk`; angle_degrees is the direction across the tension that drives the crack."""

    kind: Literal["branching_crack"]
    count: Count
    origin: Literal["anywhere", "edge", "ends"] = "edge"
    length_mm: Fine
    angle_degrees: Degrees
    step_mm: Fine
    mode_mixity: Ratio = Constant(0.15)
    mixity_correlation_mm: Fine
    grain_mixity: Ratio = Constant(0.1)
    branching_threshold: Annotated[Distribution, Within(0.1, 100)] = Constant(1.5)
    intensity_sigma: Annotated[Distribution, Within(0, 2)] = Constant(0.25)
    branching_angle_degrees: Annotated[Distribution, Within(0, 150)] = Constant(54.0)
    end_taper: Annotated[Distribution, Within(0, 1)] = Constant(0.3)

    def drawn(self, surface: Chart, lot: Lot) -> list[BranchingCrackLayer]:
        """The cracks of one frame."""
        return [_crack(self, surface, lot.at(number)) for number in range(lot.whole("count", self.count))]


class BranchingCrackLayer(CrackedLayer):
    """One crack, to be grown from `start`, metres on the chart, along `course`, radians."""

    kind: Literal["branching_crack"] = "branching_crack"
    parameters: WalkParameters
    start: tuple[float, float]
    course: float

    def grown(self, surface: Chart) -> Layer:
        """The field over the surface that the crack grows into."""
        rng = np.random.default_rng(self.seed)
        return self.laid(simulate_fracture_walk(self.parameters, self.start, self.course, surface.size, rng), surface)


def _crack(recipe: BranchingCrackRecipe, surface: Chart, lot: Lot) -> BranchingCrackLayer:
    quantities, look = drawn_opening(recipe, lot, omit=("count",))
    course = quantities.pop("angle")
    run, reach = Run(quantities["length"], course), 0.5 * quantities["width"]
    if recipe.origin == "anywhere":
        start = place_within(surface, lot, reach=reach, along=run)
    else:
        start, inward = place_on_border(surface, lot, ends_only=recipe.origin == "ends", reach=reach, along=run)
        course += inward
    quantities["step"] = max(quantities["step"], quantities["length"] / STEPS_PER_CRACK)
    parameters = WalkParameters(**quantities, start_taper=START_TAPER if recipe.origin == "anywhere" else 0.0)
    return BranchingCrackLayer(parameters=parameters, start=start, course=course, **look)
