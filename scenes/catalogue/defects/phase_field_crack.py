"""Cracks that tear through flawed material, by the phase field of its fracture energy."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from procgen.defects.cracks import PhaseFieldParameters, simulate_phase_field_crack
from procgen.surface.layer import Layer
from scenes.catalogue.crack_opening import CrackedLayer, OpeningRecipe, drawn_opening
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.placement.placing import Origin, place_line
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Fine, SurfaceAngle

TIP_TAPER = 0.15  # share of a crack's length over which it closes towards a tip inside the part


class PhaseFieldCrackRecipe(PlacedRecipeModel, OpeningRecipe):
    """See `procgen.defects.cracks.phase_field`; a crack ends beside the end of its length, where the flaws have led
    it."""

    kind: Literal["phase_field_crack"]
    count: Count
    origin: Origin = "anywhere"
    length_mm: Fine = Field(description="Length from end to end")
    angle_degrees: SurfaceAngle
    toughness_sigma: Annotated[Distribution, Within(0, 1)] = Field(
        Constant(0.25),
        title="Tough Spread",
        description="Spread of the material's toughness: the larger, the more crooked the crack",
    )
    toughness_correlation_mm: Fine = Field(
        Constant(1.0), title="Tough Size", description="Size of the material's tough and weak spots"
    )
    flaws: Annotated[Distribution, Within(0, 50, whole=True)] = Field(
        Constant(6), description="How many small cracks lie before the large one and lead it"
    )

    def sample(self, surface: Chart, stream: RandomStream) -> list[PhaseFieldCrackLayer]:
        """The cracks of one frame."""
        return [_crack(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class PhaseFieldCrackLayer(CrackedLayer):
    """One crack, to be grown from `start` about as far as `end`, metres on the chart."""

    kind: Literal["phase_field_crack"] = "phase_field_crack"
    parameters: PhaseFieldParameters
    start: tuple[float, float]
    end: tuple[float, float]

    def to_layer(self, surface: Chart) -> Layer:
        """The field over the surface that the crack grows into."""
        rng = np.random.default_rng(self.seed)
        return self.to_crack(simulate_phase_field_crack(self.parameters, self.start, self.end, rng), surface)


ENTRIES = (
    DefectEntry(
        kind="phase_field_crack",
        recipe=PhaseFieldCrackRecipe,
        drawn=PhaseFieldCrackLayer,
        title="Phase-Field Crack",
        tooltip="A crack that flaws attract, branch and stop, by the energy it costs",
        noun="crack",
        materials=frozenset({"asphalt", "cast", "ceramic", "metal", "painted"}),
    ),
)


def _crack(recipe: PhaseFieldCrackRecipe, surface: Chart, stream: RandomStream) -> PhaseFieldCrackLayer:
    quantities, look = drawn_opening(recipe, stream, omit=("count", "flaws"))
    length = quantities.pop("length")
    start, heading = place_line(
        recipe.origin, surface, stream, length, quantities.pop("angle"), reach=0.5 * quantities["width"]
    )
    return PhaseFieldCrackLayer(
        parameters=PhaseFieldParameters(
            **quantities,
            flaws=stream.whole("flaws", recipe.flaws),
            start_taper=TIP_TAPER if recipe.origin == "anywhere" else 0.0,
            end_taper=TIP_TAPER,
        ),
        start=start,
        end=(start[0] + length * math.cos(heading), start[1] + length * math.sin(heading)),
        **look,
    )
