"""Gas cavities that machining opened: single blowholes, and clusters of fine pores."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.defects.voids import VoidParameters, Voids, embedded_voids, simulate_voids
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.placement.placing import Origin, place_at
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Fine, Fraction, Severity
from scenes.quantities.scene_model import SceneModel

FAINTEST = 0.3  # share of the openings' diameters at severity 0

Aspect = Annotated[Distribution, Within(0.1, 1)]
DepthRatio = Annotated[Distribution, Within(0.02, 5)]
Diameter = Annotated[Distribution, Within(1, 20_000)]


class BlowholeRecipe(PlacedRecipeModel):
    """See `procgen.defects.voids`; severity is the size of the gas bubble."""

    class_name: ClassVar[str] = "blowhole"
    family: ClassVar[Family] = "defect"
    kind: Literal["blowhole"]
    count: Count
    origin: Origin = "anywhere"
    severity: Severity = Constant(1.0)
    diameter_um: Diameter = Field(description="Diameter of a circle as large as the opening")
    aspect: Aspect = Field(Constant(0.65), description="Breadth over length of the opening")
    depth_ratio: DepthRatio = Field(Constant(0.5), description="Depth over diameter")
    waviness: Fraction = Field(Constant(0.06), description="Unevenness of the outline")
    reflectance: Fraction = Field(description="Share of the light that the wall of the cavity reflects")
    roughness: Fraction = Field(Constant(0.9), description="Of the reflection: 0 is a mirror, 1 is chalk")
    metallic: Fraction = Field(Constant(0.0), description="Metal or not: 1 reflects as a metal does")

    def sample(self, surface: Chart, stream: RandomStream) -> list[VoidsLayer]:
        """The blowholes of one frame."""
        return [_blowhole(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class PoreRecipe(PlacedRecipeModel):
    """See `procgen.defects.voids`; severity is the size of the gas bubbles."""

    class_name: ClassVar[str] = "pore"
    family: ClassVar[Family] = "defect"
    kind: Literal["pore"]
    count: Count = Field(description="How many clusters there are in a frame")
    origin: Origin = "anywhere"
    severity: Severity = Constant(1.0)
    pores: Annotated[Distribution, Within(0, 10_000, whole=True)] = Field(description="How many pores a cluster has")
    cluster_mm: Fine = Field(
        title="Cluster Spread", description="How far the pores of a cluster lie scattered, a standard deviation"
    )
    diameter_um: Diameter = Field(description="Median diameter of the pores")
    diameter_variation: Annotated[Distribution, Within(0, 1.5)] = Field(
        Constant(0.35),
        title="Size Varies",
        description="How much sizes differ within a cluster: standard deviation of their logarithm",
    )
    aspect: Aspect = Field(Constant(0.75), description="Breadth over length of the opening")
    depth_ratio: DepthRatio = Field(Constant(0.6), description="Depth over diameter")
    waviness: Fraction = Field(Constant(0.08), description="Unevenness of the outline")
    reflectance: Fraction = Field(description="Share of the light that the broken or inner surface reflects")
    roughness: Fraction = Field(Constant(0.9), description="Of the reflection: 0 is a mirror, 1 is chalk")
    metallic: Fraction = Field(Constant(0.0), description="Metal or not: 1 reflects as a metal does")

    def sample(self, surface: Chart, stream: RandomStream) -> list[VoidsLayer]:
        """The clusters of one frame that have any pores."""
        clusters = (stream.at(number) for number in range(stream.whole("count", self.count)))
        return [
            _cluster(self, pores, surface, cluster)
            for cluster in clusters
            if (pores := cluster.whole("pores", self.pores)) > 0
        ]


class VoidsLayer(SceneModel):
    """Voids round `place`, metres on the chart of the inspected surface."""

    kind: Literal["blowhole", "pore"]
    parameters: VoidParameters
    reflectance: float
    roughness: float
    metallic: float
    place: tuple[float, float]
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The cavities opened in the surface."""
        population = simulate_voids(self.parameters, self.place, np.random.default_rng(self.seed))
        centres, normals, along = embedded_voids(population, surface.embed, surface.normals, surface.tangents)
        wall = self.model_dump(include={"reflectance", "roughness", "metallic"})
        return Voids(population, centres, normals, along, class_name=self.kind, **wall)


ENTRIES = (
    DefectEntry(
        kind="blowhole",
        recipe=BlowholeRecipe,
        drawn=VoidsLayer,
        title="Blowhole",
        tooltip="A single gas bubble that opens at the surface",
        noun="blowhole",
        materials=frozenset({"cast", "ceramic"}),
    ),
    DefectEntry(
        kind="pore",
        recipe=PoreRecipe,
        drawn=VoidsLayer,
        title="Pores",
        tooltip="Clusters of small gas bubbles that open at the surface",
        noun="pore",
        materials=frozenset({"cast", "ceramic"}),
    ),
)


def _blowhole(recipe: BlowholeRecipe, surface: Chart, stream: RandomStream) -> VoidsLayer:
    quantities = stream.quantities(recipe, omit=("count", "severity"))
    wall = {name: quantities.pop(name) for name in ("reflectance", "roughness", "metallic")}
    diameter = quantities.pop("diameter") * share_at(recipe.severity, stream, least=FAINTEST)
    return VoidsLayer(
        kind="blowhole",
        parameters=VoidParameters(diameter=diameter, **quantities),
        place=place_at(recipe.origin, surface, stream, reach=diameter / 2),
        seed=stream.layer_seed(),
        **wall,
    )


def _cluster(recipe: PoreRecipe, pores: int, surface: Chart, stream: RandomStream) -> VoidsLayer:
    quantities = stream.quantities(recipe, omit=("count", "pores", "severity"))
    wall = {name: quantities.pop(name) for name in ("reflectance", "roughness", "metallic")}
    diameter = quantities.pop("diameter") * share_at(recipe.severity, stream, least=FAINTEST)
    spread = quantities.pop("cluster")
    return VoidsLayer(
        kind="pore",
        parameters=VoidParameters(diameter=diameter, count=pores, spread=spread, **quantities),
        place=place_at(recipe.origin, surface, stream, reach=spread + diameter / 2),
        seed=stream.layer_seed(),
        **wall,
    )
