"""Blowholes: single gas cavities that machining opened."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np

from procgen.layer import Family, Layer
from procgen.voids import VoidParameters, Voids, embedded_voids, simulate_voids
from scenes.atlas import Chart
from scenes.concrete import Concrete
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.placing import Origin, place_at
from scenes.kinds.severity import share_at
from scenes.kinds.sites import PlacedSection
from scenes.lot import Lot
from scenes.sections import Count, Fraction

FAINTEST = 0.3  # share of an opening's diameter at severity 0

Aspect = Annotated[Distribution, Within(0.1, 1)]
DepthRatio = Annotated[Distribution, Within(0.02, 5)]
Diameter = Annotated[Distribution, Within(1, 20_000)]


class BlowholeRecipe(PlacedSection):
    """See `procgen.voids`; severity is the size of the gas bubble.

    reflectance, roughness, metallic: of the cavity's wall. depth_ratio: depth over diameter.
    """

    class_name: ClassVar[str] = "blowhole"
    family: ClassVar[Family] = "defect"
    kind: Literal["blowhole"]
    count: Count
    origin: Origin = "anywhere"
    severity: Fraction = Constant(1.0)
    diameter_um: Diameter
    aspect: Aspect = Constant(0.65)
    depth_ratio: DepthRatio = Constant(0.5)
    waviness: Fraction = Constant(0.06)
    reflectance: Fraction
    roughness: Fraction = Constant(0.9)
    metallic: Fraction = Constant(0.0)

    def drawn(self, surface: Chart, lot: Lot) -> list[VoidsLayer]:
        """The blowholes of one frame."""
        return [_blowhole(self, surface, lot.at(number)) for number in range(lot.whole("count", self.count))]


class VoidsLayer(Concrete):
    """Voids round `place`, metres on the chart of the inspected surface."""

    kind: Literal["blowhole", "pore"]
    parameters: VoidParameters
    reflectance: float
    roughness: float
    metallic: float
    place: tuple[float, float]
    seed: int

    def grown(self, surface: Chart) -> Layer:
        """The cavities opened in the surface."""
        population = simulate_voids(self.parameters, self.place, np.random.default_rng(self.seed))
        centres, normals, along = embedded_voids(population, surface.embed, surface.normals, surface.tangents)
        wall = self.model_dump(include={"reflectance", "roughness", "metallic"})
        return Voids(population, centres, normals, along, class_name=self.kind, **wall)


def _blowhole(recipe: BlowholeRecipe, surface: Chart, lot: Lot) -> VoidsLayer:
    quantities = lot.quantities(recipe, omit=("count", "severity"))
    wall = {name: quantities.pop(name) for name in ("reflectance", "roughness", "metallic")}
    diameter = quantities.pop("diameter") * share_at(recipe.severity, lot, least=FAINTEST)
    return VoidsLayer(
        kind="blowhole",
        parameters=VoidParameters(diameter=diameter, **quantities),
        place=place_at(recipe.origin, surface, lot, reach=diameter / 2),
        seed=lot.layer_seed(),
        **wall,
    )
