"""Clusters of fine pores."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from procgen.defects.voids import VoidParameters
from procgen.surface.layer import Family
from scenes.catalogue.defects.blowhole import Aspect, DepthRatio, Diameter, VoidsLayer
from scenes.catalogue.placement.placing import Origin, place_at
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Fine, Fraction

FAINTEST = 0.3  # share of the pores' diameters at severity 0


class PoreRecipe(PlacedRecipeModel):
    """See `procgen.defects.voids`; severity is the size of the gas bubbles.

    count: of clusters. pores: in each cluster, which spreads over cluster_mm (a standard deviation) to every side.
    diameter_um: their median; diameter_variation: standard deviation of its logarithm within a cluster.
    """

    class_name: ClassVar[str] = "pore"
    family: ClassVar[Family] = "defect"
    kind: Literal["pore"]
    count: Count
    origin: Origin = "anywhere"
    severity: Fraction = Constant(1.0)
    pores: Annotated[Distribution, Within(0, 10_000, whole=True)]
    cluster_mm: Fine
    diameter_um: Diameter
    diameter_variation: Annotated[Distribution, Within(0, 1.5)] = Constant(0.35)
    aspect: Aspect = Constant(0.75)
    depth_ratio: DepthRatio = Constant(0.6)
    waviness: Fraction = Constant(0.08)
    reflectance: Fraction
    roughness: Fraction = Constant(0.9)
    metallic: Fraction = Constant(0.0)

    def sample(self, surface: Chart, stream: RandomStream) -> list[VoidsLayer]:
        """The clusters of one frame that have any pores."""
        clusters = (stream.at(number) for number in range(stream.whole("count", self.count)))
        return [
            _cluster(self, pores, surface, cluster)
            for cluster in clusters
            if (pores := cluster.whole("pores", self.pores)) > 0
        ]


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
