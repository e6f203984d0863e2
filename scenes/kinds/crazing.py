"""Networks of fine cracks in a skin that shrank."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from procgen.cracks import CrazingParameters, simulate_crazing
from procgen.layer import Layer
from scenes.atlas import Chart
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.opening import CrackedLayer, OpeningRecipe, drawn_opening
from scenes.kinds.placing import place_within
from scenes.kinds.sites import PlacedSection
from scenes.lot import Lot
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
