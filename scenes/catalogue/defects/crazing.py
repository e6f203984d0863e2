"""Networks of fine cracks in a skin that shrank."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from procgen.defects.cracks import MOST_CELLS, CrazingParameters, cells_on, simulate_crazing, smallest_cell
from procgen.surface.layer import Layer
from scenes.catalogue.crack_opening import CrackedLayer, OpeningRecipe, Width, drawn_opening
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.layer_model import ChartSizes
from scenes.catalogue.placement.placing import place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fine, Probability
from scenes.quantities.units import MM


class CrazingRecipe(PlacedRecipeModel, OpeningRecipe):
    """See `procgen.defects.cracks.crazing`; one network per frame, present with `probability`."""

    kind: Literal["crazing"]
    width_um: Width = Field(description="Width of the oldest cracks; younger ones are narrower")
    probability: Probability = 1.0
    cell_mm: Fine = Field(title="Cell Size", description="Size of the fields that the cracks enclose")
    junctions: Literal["right", "triple"] = Field(
        "right", description="How cracks meet: right angles as in glaze and mud, or three at 120°"
    )
    winding: Annotated[Distribution, Within(0, 0.2)] = Field(
        Constant(0.03), description="How far cracks stray from smooth lines, over their length"
    )
    radius_mm: Fine | None = Field(None, description="Radius of a round patch of it; off covers the whole part")
    width_variation: Annotated[Distribution, Within(0, 2)] = Field(
        Constant(0.2),
        title="Width Varies",
        description="How much the opening changes along the crack: standard deviation over mean",
    )

    def trouble_on(self, sizes: ChartSizes) -> str | None:
        """Why the network would take long to grow on the part, if so: "FIELD: found X; expected Y".

        On a patch, charts are as large as the patch at most.
        """
        smallest = MM * self.cell_mm.low
        for width, height in sizes():
            across = np.inf if self.radius_mm is None else 2 * MM * self.radius_mm.high
            covered = min(width, across), min(height, across)
            if (cells := cells_on(covered, smallest)) > MOST_CELLS:
                least = math.ceil(1e3 * smallest_cell(covered) / MM) / 1e3
                return (
                    f"cell_mm: found {self.cell_mm}, which may make {cells:.0f} cells on {covered[0] / MM:.4g} x "
                    f"{covered[1] / MM:.4g} mm; expected at most {MOST_CELLS}: a cell_mm of {least:g} or more, or a "
                    "smaller patch by radius_mm"
                )
        return None

    def sample(self, surface: Chart, stream: RandomStream) -> list[CrazingLayer]:
        """The network of one frame, if it has one."""
        if stream.chance("probability") >= self.probability:
            return []
        quantities, look = drawn_opening(self, stream)
        parameters = CrazingParameters(junctions=self.junctions, **quantities)
        return [CrazingLayer(parameters=parameters, centre=place_within(surface, stream), **look)]


class CrazingLayer(CrackedLayer):
    """One network, round `centre` (metres on the chart) where it is a patch."""

    kind: Literal["crazing"] = "crazing"
    parameters: CrazingParameters
    centre: tuple[float, float]

    def to_layer(self, surface: Chart) -> Layer:
        """The field over the surface that the network grows into."""
        rng = np.random.default_rng(self.seed)
        return self.to_crack(simulate_crazing(self.parameters, surface.size, rng, self.centre), surface)


ENTRIES = (
    DefectEntry(
        kind="crazing",
        recipe=CrazingRecipe,
        drawn=CrazingLayer,
        title="Crazing",
        tooltip="A net of fine cracks, as in glaze",
        noun="crazing",
        countable=False,
        materials=frozenset({"asphalt", "ceramic"}),
    ),
)
