"""Populations of corrosion pits."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.defects.corrosion.pitting import Pitting, PittingParameters, simulate_pitting
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.layer_model import LayerRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import (
    Degrees,
    Fine,
    Fraction,
    Hours,
    Probability,
    RoughnessChange,
    Severity,
    Signed,
)
from scenes.quantities.scene_model import NotNegative, SceneModel
from scenes.quantities.units import HOUR

LEAST_EXPOSURE = 0.05  # share of the hours that has passed at severity 0


class PittingRecipe(LayerRecipeModel):
    """Corrosion pits: dark cavities that are born in time, grow by a power law and merge.

    Nucleation is a Poisson process whose rate decays over `decay_hours`; a pit's depth follows age^growth_exponent
    with lognormal scatter, so that the deepest pit of an area follows Gumbel's distribution (Engelhardt and Macdonald,
    1998). One population per frame, present with `probability`. `severity` says how much of `hours` has passed: at more
    hours, the same seed is the same surface, later, and every pit is still there. With `clustering`, pits break out
    beside earlier ones and merge into ragged patches, as rolling fatigue does. One instance is one patch.
    """

    class_name: ClassVar[str] = "pitting"
    family: ClassVar[Family] = "defect"
    kind: Literal["pitting"]
    probability: Probability = 1.0
    severity: Severity = Constant(1.0)
    hours: Hours = Field(
        title="Age", description="Time since it began, in hours; the same seed at more hours has grown on"
    )
    density_per_cm2: Annotated[Distribution, Within(0, 10_000)] = Field(
        description="Pits that will ever be, in a square centimetre"
    )
    decay_hours: Annotated[Distribution, Within(0.01, 100_000)] = Field(
        Constant(12.0), description="Time over which new ones become rare"
    )
    depth_um: Annotated[Distribution, Within(0.1, 10_000)] = Field(description="Median depth of a pit one day old")
    depth_variation: Annotated[Distribution, Within(0, 2)] = Field(
        Constant(0.5),
        title="Depth Varies",
        description="How much depths differ from pit to pit: standard deviation of their logarithm",
    )
    growth_exponent: Annotated[Distribution, Within(0.05, 1)] = Field(
        Constant(0.4), title="Growth Power", description="Depth grows with age to this power"
    )
    aspect: Annotated[Distribution, Within(0.1, 100)] = Field(Constant(1.5), description="Radius over depth of a pit")
    elongation: Annotated[Distribution, Within(1, 20)] = Field(Constant(1.3), description="Length over breadth")
    direction_degrees: Degrees = Field(Constant(0.0), description="Direction of the long axes of the pits")
    direction_spread_degrees: Annotated[Distribution, Within(0, 360)] = Field(
        Constant(180.0), title="Direction ±", description="How much these directions differ, a standard deviation"
    )
    clustering: Fraction = Field(Constant(0.0), description="Share of the pits that break out beside an earlier one")
    spread_mm: Fine = Field(
        Constant(1.0), description="How far from an earlier pit the next one of a cluster breaks out"
    )
    ragged: Fraction = Field(Constant(0.15), description="Unevenness of the outline")
    ragged_size_mm: Fine = Field(Constant(0.2), description="Size of the unevenness of the outline")
    lip: Fraction = Field(
        Constant(0.05), title="Lip Height", description="Height of the raised edges, over the depth beside them"
    )
    reflectance_change: Signed = Field(
        title="Reflectance ±", description="What a pit adds to the base colour at its bottom: negative is darker"
    )
    roughness_change: RoughnessChange = Constant(0.35)
    metallic_change: Signed = Field(
        Constant(-0.9), title="Metallic ±", description="What the place gains or loses of its metallic look"
    )

    def sample(self, surface: Chart, stream: RandomStream) -> list[PittingLayer]:
        """The population of one frame, if it has one."""
        if stream.chance("probability") >= self.probability:
            return []
        quantities = stream.quantities(self, omit=("severity",))
        time = HOUR * quantities.pop("hours") * share_at(self.severity, stream, least=LEAST_EXPOSURE)
        look = {
            name: quantities.pop(name)
            for name in ("ragged", "ragged_size", "lip", "reflectance_change", "roughness_change", "metallic_change")
        }
        return [PittingLayer(parameters=PittingParameters(**quantities), time=time, **look, seed=stream.layer_seed())]


class PittingLayer(SceneModel):
    """A population of pits, to be grown for `time` seconds."""

    kind: Literal["pitting"] = "pitting"
    parameters: PittingParameters
    time: NotNegative
    ragged: float
    ragged_size: float
    lip: float
    reflectance_change: float
    roughness_change: float
    metallic_change: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The field over the surface that the pits make."""
        pits = simulate_pitting(self.parameters, surface.size, self.time, np.random.default_rng(self.seed))
        return Pitting(
            pits.embedded(surface.embed),
            self.ragged,
            self.ragged_size,
            self.lip,
            self.reflectance_change,
            self.roughness_change,
            self.metallic_change,
            self.seed,
        )


ENTRIES = (
    DefectEntry(
        kind="pitting",
        recipe=PittingRecipe,
        drawn=PittingLayer,
        title="Pitting",
        tooltip="Dark corrosion pits that are born, grow and merge",
        noun="pit",
        fixed_in_space=True,
        materials=frozenset({"metal"}),
    ),
)
