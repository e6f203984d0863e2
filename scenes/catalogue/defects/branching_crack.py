"""Cracks that run by the largest hoop stress, and fork."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from procgen.defects.cracks import WalkParameters, simulate_fracture_walk
from procgen.surface.layer import Layer
from scenes.catalogue.crack_opening import CrackedLayer, OpeningRecipe, drawn_opening
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.placement.placing import Origin, Run, place_on_border, place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Fine, Ratio, SurfaceAngle

STEPS_PER_CRACK = 400  # at most, so that fine grains do not make long cracks slow
START_TAPER = 0.15  # share of its length over which a crack closes towards a start inside the part


class BranchingCrackRecipe(PlacedRecipeModel, OpeningRecipe):
    """See `procgen.defects.cracks.walk`; angle_degrees is the direction across the tension that drives the crack."""

    kind: Literal["branching_crack"]
    count: Count
    origin: Origin = "edge"
    length_mm: Fine = Field(description="Length from end to end")
    angle_degrees: SurfaceAngle
    step_mm: Fine = Field(description="The grain: after so much, the tip chooses its way anew")
    mode_mixity: Ratio = Field(
        Constant(0.15), description="Shear over tension at the tip: the larger, the more the crack winds"
    )
    mixity_correlation_mm: Fine = Field(title="Mixity Length", description="Length over which the winding changes")
    grain_mixity: Ratio = Field(Constant(0.1), description="How much the crack turns from grain to grain")
    branching_threshold: Annotated[Distribution, Within(0.1, 100)] = Field(
        Constant(1.5),
        title="Fork Threshold",
        description="Stress at the tip that makes it fork, over that of the full-grown crack",
    )
    intensity_sigma: Annotated[Distribution, Within(0, 2)] = Field(
        Constant(0.25), title="Stress Spread", description="How much the stress at the tip fluctuates along the way"
    )
    branching_angle_degrees: Annotated[Distribution, Within(0, 150)] = Field(
        Constant(54.0), title="Fork Angle", description="Angle between the two arms of a fork, on average"
    )
    end_taper: Annotated[Distribution, Within(0, 1)] = Field(
        Constant(0.3), description="Share of the length over which the crack closes towards its free ends"
    )

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


ENTRIES = (
    DefectEntry(
        kind="branching_crack",
        recipe=BranchingCrackRecipe,
        drawn=BranchingCrackLayer,
        title="Branching Crack",
        tooltip="A crack that winds and forks as it runs",
        noun="crack",
        materials=frozenset({"asphalt", "cast", "ceramic", "metal", "painted"}),
    ),
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
