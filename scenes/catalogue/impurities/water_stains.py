"""Populations of dried water stains."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from procgen.impurities.stains import WaterStains
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import ImpurityEntry
from scenes.catalogue.layer_model import LayerRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import (
    Degrees,
    Fine,
    Fraction,
    Probability,
    RoughnessChange,
    Severity,
    Signed,
    together,
)
from scenes.quantities.scene_model import SceneModel

FAINTEST = 0.15  # share of the change of reflectance at severity 0


class WaterStainsRecipe(LayerRecipeModel):
    """See `procgen.impurities.stains.WaterStains`; one population per frame, present with `probability`.

    severity: how much the water held that dried up, on the change of reflectance. drip_degrees: where down was, from
    the part's x axis.
    """

    class_name: ClassVar[str] = "water_stain"
    family: ClassVar[Family] = "impurity"
    kind: Literal["water_stains"]
    probability: Probability = 1.0
    severity: Severity = Constant(1.0)
    cell_size_mm: Fine = Field(
        description="Edge of the cells that hold one drop each; the larger, the sparser the stains"
    )
    radius_mm: Fine = Field(description="Radius from the middle to the border")
    frequency_per_mm: Annotated[Distribution, Within(1e-4, 100)] = Field(
        title="Outline Waves", description="Waves of the outline in a millimetre: the more, the more ragged"
    )
    amplitude_mm: Annotated[Distribution, Within(0, 1000)] = Field(
        title="Outline Height",
        description="Height of the outline's waves; radius and height together must stay below the cell size",
    )
    gamma: Annotated[Distribution, Within(0.01, 100)] = Field(
        title="Rim Sharpness", description="The larger, the narrower the rim"
    )
    alpha: Signed = Field(
        title="Rim Change",
        description="Change of reflectance at the rim: negative is darker, positive is lime on dark paint",
    )
    occupancy: Fraction = Field(Constant(1.0), description="Share of the cells that hold a stain")
    heterogeneity: Fraction = Field(Constant(0.0), description="Blotches within the outline")
    roughness_change: RoughnessChange = Constant(0.0)
    rings: Annotated[Distribution, Within(0, 8, whole=True)] = Field(
        Constant(0.0), description="Rings inside the outline, where the drop stood for a while as it dried"
    )
    ring_spacing: Fraction = Field(Constant(0.82), description="Size of a ring over that of the one around it")
    ring_contrast: Fraction = Field(Constant(0.6), description="Strength of a ring over that of the one around it")
    drip_length_mm: Annotated[Distribution, Within(0, 1000)] = Field(
        Constant(0.0), description="Length of the longest drip; 0 is no drips"
    )
    drip_width_mm: Fine = Field(Constant(2.0), description="Width of the drips")
    drip_share: Fraction = Field(Constant(0.5), description="Share of the stains that drip")
    drip_degrees: Degrees = Field(Constant(-90.0), description="Where down was: -90° is towards the lower border")

    @model_validator(mode="after")
    def _one_ring(self) -> Self:
        reach, cell = self.radius_mm.high + self.amplitude_mm.high, self.cell_size_mm.low
        if reach >= cell:
            raise together(
                f"found radius_mm + amplitude_mm up to {reach:g} with a cell_size_mm from {cell:g}; expected their "
                "sum below the cell size, or stains would be cut off: use larger cells or smaller stains"
            )
        drip = math.hypot(self.drip_length_mm.high + self.drip_width_mm.high, self.radius_mm.high)
        if self.drip_length_mm.high > 0 and drip >= cell:
            raise together(
                f"found drips that end up to {drip:g} mm from the middle of their stain with a cell_size_mm from "
                f"{cell:g}; expected less, or drips would be cut off: use larger cells or shorter drips"
            )
        return self

    def sample(self, surface: Chart, stream: RandomStream) -> list[WaterStainLayer]:
        """The population of one frame, if it has one."""
        if stream.chance("probability") >= self.probability:
            return []
        seed = stream.layer_seed()
        quantities = stream.quantities(self, omit=("severity", "rings"))
        quantities["alpha"] *= share_at(self.severity, stream, least=FAINTEST)
        down = quantities.pop("drip")
        stains = WaterStains(
            **quantities,
            rings=stream.whole("rings", self.rings),
            drip_direction=(math.cos(down), math.sin(down), 0.0),
            seed=seed,
            noise_seed=seed,
        )
        return [WaterStainLayer(stains=stains)]


class WaterStainLayer(SceneModel):
    """A population of water stains."""

    kind: Literal["water_stains"] = "water_stains"
    stains: WaterStains

    def to_layer(self, surface: Chart) -> Layer:
        """The population itself: it has nothing to simulate."""
        return self.stains


ENTRIES = (
    ImpurityEntry(
        kind="water_stains",
        recipe=WaterStainsRecipe,
        drawn=WaterStainLayer,
        title="Water Stains",
        tooltip="Dried drops with dark or bright rims",
        noun="stain",
        fixed_in_space=True,
    ),
)
