"""Networks of fine cracks in a skin that shrank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from procgen.cracks import MOST_CELLS, CrazingParameters, cells_on, simulate_crazing, smallest_cell
from procgen.layer import Layer
from scenes.atlas import Chart
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.opening import CrackedLayer, OpeningRecipe, drawn_opening
from scenes.kinds.placing import place_within
from scenes.kinds.sites import PlacedSection
from scenes.lot import MM, Lot
from scenes.sections import Fine


class CrazingRecipe(PlacedSection, OpeningRecipe):
    """See `procgen.cracks.crazing`; one network per frame, present with `probability`.

    Without a radius_mm it covers the part, with one it is a patch somewhere on it.
    """

    kind: Literal["crazing"]
    probability: Annotated[float, Field(strict=True, ge=0, le=1)] = 1.0
    cell_mm: Fine
    junctions: Literal["right", "triple"] = "right"
    winding: Annotated[Distribution, Within(0, 0.2)] = Constant(0.03)
    radius_mm: Fine | None = None
    width_variation: Annotated[Distribution, Within(0, 2)] = Constant(0.2)

    def trouble_on(self, sizes: Sequence[tuple[float, float]]) -> str | None:
        """Why the network would take long to grow on charts of these extents (m), if so: "FIELD: found X; expected Y".

        On a patch, charts are as large as the patch at most.
        """
        smallest = MM * self.cell_mm.low
        for width, height in sizes:
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

    def drawn(self, surface: Chart, lot: Lot) -> list[CrazingLayer]:
        """The network of one frame, if it has one."""
        if lot.chance("probability") >= self.probability:
            return []
        quantities, look = drawn_opening(self, lot)
        parameters = CrazingParameters(junctions=self.junctions, **quantities)
        return [CrazingLayer(parameters=parameters, centre=place_within(surface, lot), **look)]


class CrazingLayer(CrackedLayer):
    """One network, round `centre` (metres on the chart) where it is a patch."""

    kind: Literal["crazing"] = "crazing"
    parameters: CrazingParameters
    centre: tuple[float, float]

    def grown(self, surface: Chart) -> Layer:
        """The field over the surface that the network grows into."""
        rng = np.random.default_rng(self.seed)
        return self.laid(simulate_crazing(self.parameters, surface.size, rng, self.centre), surface)
