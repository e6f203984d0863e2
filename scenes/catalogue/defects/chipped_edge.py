"""Edges of brittle parts from which something broke off."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np

from procgen.defects.chipping import ChipParameters, ChippedEdge, simulate_chip
from procgen.surface.layer import Family, Layer
from scenes.catalogue.placement.placing import anchored, place_on_border
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Fine, Fraction, Ratio
from scenes.quantities.scene_model import SceneModel

FAINTEST = 0.2  # share of a chip's length, reach and depth at severity 0


class ChippedEdgeRecipe(PlacedRecipeModel):
    """See `procgen.defects.chipping`; severity is the size of the piece that broke off, of one shape at every size.

    length_mm: along the border. reach_mm: from there inwards. reflectance, roughness, metallic: of the fracture.
    """

    class_name: ClassVar[str] = "chipped_edge"
    family: ClassVar[Family] = "defect"
    kind: Literal["chipped_edge"]
    count: Count
    origin: Literal["edge", "ends"] = "edge"
    severity: Fraction = Constant(1.0)
    length_mm: Fine
    reach_mm: Fine
    depth_um: Annotated[Distribution, Within(1, 20_000)]
    hollows: Annotated[Distribution, Within(1, 20, whole=True)] = Constant(2)
    irregularity: Annotated[Distribution, Within(0, 0.5)] = Constant(0.08)
    ripples: Annotated[Distribution, Within(0, 50)] = Constant(5.0)
    ripple: Fraction = Constant(0.05)
    grain_um: Annotated[Distribution, Within(0, 1000)] = Constant(5.0)
    grain_size_mm: Fine = Constant(0.15)
    grain_contrast: Ratio = Constant(0.15)
    reflectance: Fraction
    roughness: Fraction = Constant(0.55)
    metallic: Fraction = Constant(0.0)

    def sample(self, surface: Chart, stream: RandomStream) -> list[ChippedEdgeLayer]:
        """The chips of one frame."""
        return [_chip(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class ChippedEdgeLayer(SceneModel):
    """One chip at `place` on the border, metres on the chart, reaching in the direction `inward` (radians)."""

    kind: Literal["chipped_edge"] = "chipped_edge"
    parameters: ChipParameters
    reflectance: float
    roughness: float
    metallic: float
    grain_contrast: float
    place: tuple[float, float]
    inward: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The chip at the border."""
        anchor = anchored(surface, self.place, self.inward - math.pi / 2)
        hollows = simulate_chip(self.parameters, np.random.default_rng(self.seed))
        fracture = self.model_dump(include={"reflectance", "roughness", "metallic", "grain_contrast"})
        return ChippedEdge(anchor, self.parameters, hollows, **fracture)


def _chip(recipe: ChippedEdgeRecipe, surface: Chart, stream: RandomStream) -> ChippedEdgeLayer:
    quantities = stream.quantities(recipe, omit=("count", "hollows", "severity"))
    fracture = {name: quantities.pop(name) for name in ("reflectance", "roughness", "metallic", "grain_contrast")}
    share = share_at(recipe.severity, stream, least=FAINTEST)
    for name in ("length", "reach", "depth"):
        quantities[name] *= share
    reach = max(0.5 * quantities["length"], quantities["reach"])
    place, inward = place_on_border(surface, stream, ends_only=recipe.origin == "ends", reach=reach)
    return ChippedEdgeLayer(
        parameters=ChipParameters(hollows=stream.whole("hollows", recipe.hollows), **quantities),
        place=place,
        inward=inward,
        seed=stream.layer_seed(),
        **fracture,
    )
