"""Populations of dried water stains."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from procgen.layer import Family, Layer
from procgen.stains import WaterStains
from scenes.atlas import Chart
from scenes.concrete import Concrete
from scenes.distribution import Constant, Distribution, Within
from scenes.lot import Lot
from scenes.sections import Fine, Fraction, Section, Signed, together


class WaterStainsRecipe(Section):
    """See `procgen.stains.WaterStains`; one population per frame, present with `probability`."""

    class_name: ClassVar[str] = "water_stain"
    family: ClassVar[Family] = "impurity"
    kind: Literal["water_stains"]
    probability: Annotated[float, Field(strict=True, ge=0, le=1)] = 1.0
    cell_size_mm: Fine
    radius_mm: Fine
    frequency_per_mm: Annotated[Distribution, Within(1e-4, 100)]
    amplitude_mm: Annotated[Distribution, Within(0, 1000)]
    gamma: Annotated[Distribution, Within(0.01, 100)]
    alpha: Signed
    occupancy: Fraction = Constant(1.0)
    heterogeneity: Fraction = Constant(0.0)
    roughness_change: Signed = Constant(0.0)

    @model_validator(mode="after")
    def _one_ring(self) -> Self:
        reach, cell = self.radius_mm.high + self.amplitude_mm.high, self.cell_size_mm.low
        if reach >= cell:
            raise together(
                f"found radius_mm + amplitude_mm up to {reach:g} with a cell_size_mm from {cell:g}; expected their "
                "sum below the cell size, or stains would be cut off: use larger cells or smaller stains"
            )
        return self

    def drawn(self, surface: Chart, lot: Lot) -> list[WaterStainLayer]:
        """The population of one frame, if it has one."""
        if lot.chance("probability") >= self.probability:
            return []
        seed = lot.layer_seed()
        stains = WaterStains(**lot.quantities(self), seed=seed, noise_seed=seed)
        return [WaterStainLayer(stains=stains)]


class WaterStainLayer(Concrete):
    """A population of water stains."""

    kind: Literal["water_stains"] = "water_stains"
    stains: WaterStains

    def grown(self, surface: Chart) -> Layer:
        """The population itself: it has nothing to simulate."""
        return self.stains
