"""Populations of corrosion pits."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.defects.corrosion.pitting import Pitting, PittingParameters, simulate_pitting
from procgen.surface.layer import Family, Layer
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import HOUR, RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction, Hours, RecipeModel, Signed
from scenes.quantities.scene_model import NotNegative, SceneModel

LEAST_EXPOSURE = 0.05  # share of the hours that has passed at severity 0


class PittingRecipe(RecipeModel):
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
    probability: Annotated[float, Field(strict=True, ge=0, le=1)] = 1.0
    severity: Fraction = Constant(1.0)
    hours: Hours
    density_per_cm2: Annotated[Distribution, Within(0, 10_000)]
    decay_hours: Annotated[Distribution, Within(0.01, 100_000)] = Constant(12.0)
    depth_um: Annotated[Distribution, Within(0.1, 10_000)]
    depth_variation: Annotated[Distribution, Within(0, 2)] = Constant(0.5)
    growth_exponent: Annotated[Distribution, Within(0.05, 1)] = Constant(0.4)
    aspect: Annotated[Distribution, Within(0.1, 100)] = Constant(1.5)
    elongation: Annotated[Distribution, Within(1, 20)] = Constant(1.3)
    direction_degrees: Degrees = Constant(0.0)
    direction_spread_degrees: Annotated[Distribution, Within(0, 360)] = Constant(180.0)
    clustering: Fraction = Constant(0.0)
    spread_mm: Fine = Constant(1.0)
    ragged: Fraction = Constant(0.15)
    ragged_size_mm: Fine = Constant(0.2)
    lip: Fraction = Constant(0.05)
    reflectance_change: Signed
    roughness_change: Signed = Constant(0.35)
    metallic_change: Signed = Constant(-0.9)

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
