"""Cracks along the path of least fracture energy."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from procgen.defects.cracks import CrackParameters, simulate_minimum_energy_path
from procgen.surface.layer import Layer
from scenes.catalogue.crack_opening import CrackedLayer, OpeningRecipe, drawn_opening
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.placement.placing import place_line, place_on_border
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Fine, SurfaceAngle, exactly_when, together

STEPS_PER_CORRELATION = 2  # of the grid on which a crack finds its way
MOST_STEPS = 400  # of that grid from end to end; a tenth of a second
TIP_TAPER = 0.15  # share of a crack's length over which it closes towards a tip inside the part
SHORTEST_ACROSS = 0.02  # share of the surface's shorter side that a crack across a mere corner of it has at least


class CrackRecipe(PlacedRecipeModel, OpeningRecipe):
    """See `procgen.defects.cracks.path`; the cracks of a frame are drawn one by one."""

    kind: Literal["crack"]
    count: Count
    origin: Literal["anywhere", "edge", "ends", "across"] = Field(
        "anywhere",
        description="Where it begins: anywhere, at the border, its lower or upper side, or across from side to side",
    )
    length_mm: Fine | None = Field(
        None,
        json_schema_extra=exactly_when(origin=("anywhere", "edge", "ends")),
        description="From end to end; off for one that runs across from border to border",
    )
    angle_degrees: SurfaceAngle
    toughness_sigma: Annotated[Distribution, Within(0, 3)] = Field(
        Constant(0.6),
        title="Tough Spread",
        description="Spread of the material's toughness: the larger, the more crooked the crack",
    )
    toughness_correlation_mm: Fine = Field(
        Constant(0.4), title="Tough Size", description="Size of the material's tough and weak spots"
    )

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if (self.length_mm is None) != (self.origin == "across"):
            found = "no length_mm" if self.length_mm is None else "a length_mm"
            raise together(
                f"found {found} with origin: {self.origin}; expected a length_mm, and none with origin: across, "
                "which runs from border to border"
            )
        return self

    def sample(self, surface: Chart, stream: RandomStream) -> list[CrackLayer]:
        """The cracks of one frame."""
        return [_crack(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class CrackLayer(CrackedLayer):
    """One crack, to be grown from `start` to `end`, metres on the chart of the inspected surface."""

    kind: Literal["crack"] = "crack"
    parameters: CrackParameters
    start: tuple[float, float]
    end: tuple[float, float]

    def to_layer(self, surface: Chart) -> Layer:
        """The field over the surface that the crack grows into."""
        rng = np.random.default_rng(self.seed)
        return self.to_crack(simulate_minimum_energy_path(self.parameters, self.start, self.end, rng), surface)


ENTRIES = (
    DefectEntry(
        kind="crack",
        recipe=CrackRecipe,
        drawn=CrackLayer,
        title="Crack",
        tooltip="A crack along the path of least resistance",
        noun="crack",
        materials=frozenset({"asphalt", "cast", "ceramic", "metal", "painted"}),
    ),
)


def _crack(recipe: CrackRecipe, surface: Chart, stream: RandomStream) -> CrackLayer:
    quantities, look = drawn_opening(recipe, stream, omit=("count",))
    turn = quantities.pop("angle")
    if recipe.origin == "across":
        start, inward = place_on_border(surface, stream, ends_only=False)
        heading = inward + turn
        length = _way_out(surface, start, heading)
    else:
        length = quantities.pop("length")
        start, heading = place_line(recipe.origin, surface, stream, length, turn, reach=0.5 * quantities["width"])
    return CrackLayer(
        parameters=CrackParameters(
            **quantities,
            grid_spacing=max(quantities["toughness_correlation"] / STEPS_PER_CORRELATION, length / MOST_STEPS),
            start_taper=TIP_TAPER if recipe.origin == "anywhere" else 0.0,
            end_taper=0.0 if recipe.origin == "across" else TIP_TAPER,
        ),
        start=start,
        end=(start[0] + length * math.cos(heading), start[1] + length * math.sin(heading)),
        **look,
    )


def _way_out(surface: Chart, start: tuple[float, float], heading: float) -> float:
    """How far (m) it is from a point of the chart to its border."""
    ways = [
        ((extent if slope > 0.0 else 0.0) - place) / slope
        for extent, place, slope in zip(surface.size, start, (math.cos(heading), math.sin(heading)), strict=True)
        if abs(slope) > 1e-9
    ]
    return max(min(ways), SHORTEST_ACROSS * min(surface.size))
