"""Clusters of fine pores."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from procgen.layer import Family
from procgen.voids import VoidParameters
from scenes.atlas import Chart
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.blowhole import Aspect, DepthRatio, Diameter, VoidsLayer
from scenes.kinds.placing import Origin, place_at
from scenes.kinds.severity import share_at
from scenes.kinds.sites import PlacedSection
from scenes.lot import Lot
from scenes.sections import Count, Fine, Fraction

FAINTEST = 0.3  # share of the pores' diameters at severity 0


class PoreRecipe(PlacedSection):
    """See `procgen.voids`; severity is the size of the gas bubbles.

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

    def drawn(self, surface: Chart, lot: Lot) -> list[VoidsLayer]:
        """The clusters of one frame that have any pores."""
        clusters = (lot.at(number) for number in range(lot.whole("count", self.count)))
        return [
            _cluster(self, pores, surface, cluster)
            for cluster in clusters
            if (pores := cluster.whole("pores", self.pores)) > 0
        ]


def _cluster(recipe: PoreRecipe, pores: int, surface: Chart, lot: Lot) -> VoidsLayer:
    quantities = lot.quantities(recipe, omit=("count", "pores", "severity"))
    wall = {name: quantities.pop(name) for name in ("reflectance", "roughness", "metallic")}
    diameter = quantities.pop("diameter") * share_at(recipe.severity, lot, least=FAINTEST)
    spread = quantities.pop("cluster")
    return VoidsLayer(
        kind="pore",
        parameters=VoidParameters(diameter=diameter, count=pores, spread=spread, **quantities),
        place=place_at(recipe.origin, surface, lot, reach=spread + diameter / 2),
        seed=lot.layer_seed(),
        **wall,
    )
