"""Cracks that run by the largest hoop stress, and fork."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from procgen.defects.cracks import WalkParameters, simulate_fracture_walk
from procgen.surface.layer import Layer
from scenes.catalogue.crack_opening import CrackedLayer, OpeningRecipe, drawn_opening
from scenes.catalogue.placement.placing import Run, place_on_border, place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Degrees, Fine, Ratio

STEPS_PER_CRACK = 400  # at most, so that fine grains do not make long cracks slow
START_TAPER = 0.15  # share of its length over which a crack closes towards a start inside the part


class BranchingCrackRecipe(PlacedRecipeModel, OpeningRecipe):
    """See `procgen.defects.cracks.walk`; angle_degrees is the direction across the tension that drives the crack."""

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

    def sample(self, surface: Chart, stream: RandomStream) -> list[BranchingCrackLayer]:
        """The cracks of one frame."""
        return [_crack(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class BranchingCrackLayer(CrackedLayer):
    """One crack, to be grown from `start`, metres on the chart, along `course`, radians."""

    kind: Literal["branching_crack"] = "branching_crack"
    parameters: WalkParameters
    start: tuple[float, float]
    course: float

    def to_layer(self, surface: Chart) -> Layer:
        """The field over the surface that the crack grows into."""
        rng = np.random.default_rng(self.seed)
        return self.to_crack(
            simulate_fracture_walk(self.parameters, self.start, self.course, surface.size, rng), surface
        )


def _crack(recipe: BranchingCrackRecipe, surface: Chart, stream: RandomStream) -> BranchingCrackLayer:
    quantities, look = drawn_opening(recipe, stream, omit=("count",))
    course = quantities.pop("angle")
    run, reach = Run(quantities["length"], course), 0.5 * quantities["width"]
    if recipe.origin == "anywhere":
        start = place_within(surface, stream, reach=reach, along=run)
    else:
        start, inward = place_on_border(surface, stream, ends_only=recipe.origin == "ends", reach=reach, along=run)
        course += inward
    quantities["step"] = max(quantities["step"], quantities["length"] / STEPS_PER_CRACK)
    parameters = WalkParameters(**quantities, start_taper=START_TAPER if recipe.origin == "anywhere" else 0.0)
    return BranchingCrackLayer(parameters=parameters, start=start, course=course, **look)
