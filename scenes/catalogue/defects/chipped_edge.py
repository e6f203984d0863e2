"""Edges of brittle parts from which something broke off."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.defects.chipping import ChipParameters, ChippedEdge, simulate_chip
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.placement.placing import anchored, place_on_border
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Fine, Fraction, Ratio, Severity
from scenes.quantities.scene_model import SceneModel

FAINTEST = 0.2  # share of a chip's length, reach and depth at severity 0


class ChippedEdgeRecipe(PlacedRecipeModel):
    """See `procgen.defects.chipping`; severity is the size of the piece that broke off, of one shape at every size."""

    class_name: ClassVar[str] = "chipped_edge"
    family: ClassVar[Family] = "defect"
    kind: Literal["chipped_edge"]
    count: Count
    origin: Literal["edge", "ends"] = Field(
        "edge",
        description="Where it broke off: anywhere along the border, or at its lower or upper side",
    )
    severity: Severity = Constant(1.0)
    length_mm: Fine = Field(description="Length along the border")
    reach_mm: Fine = Field(description="How far the chip reaches from the border inwards")
    depth_um: Annotated[Distribution, Within(1, 20_000)] = Field(description="Depth at the border")
    hollows: Annotated[Distribution, Within(1, 20, whole=True)] = Field(
        Constant(2), description="How many shells broke off, each by a blow of its own"
    )
    irregularity: Annotated[Distribution, Within(0, 0.5)] = Field(
        Constant(0.08), description="How much one differs from the next"
    )
    ripples: Annotated[Distribution, Within(0, 50)] = Field(
        Constant(5.0), description="How many waves run over a shell"
    )
    ripple: Fraction = Field(Constant(0.05), description="Swing of the waves on a shell, over its depth")
    grain_um: Annotated[Distribution, Within(0, 1000)] = Field(
        Constant(5.0), title="Grain Height", description="Height of the fracture's grains"
    )
    grain_size_mm: Fine = Field(Constant(0.15), description="Size of a grain")
    grain_contrast: Ratio = Field(Constant(0.15), description="How much the fracture's grains differ in brightness")
    reflectance: Fraction = Field(description="Share of the light that the fracture reflects")
    roughness: Fraction = Field(Constant(0.55), description="Roughness of the fracture: 0 is a mirror, 1 is chalk")
    metallic: Fraction = Field(Constant(0.0), description="Metal or not: 1 reflects as a metal does")

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


ENTRIES = (
    DefectEntry(
        kind="chipped_edge",
        recipe=ChippedEdgeRecipe,
        drawn=ChippedEdgeLayer,
        title="Chipped Edge",
        tooltip="Shells broken off the border",
        noun="chip",
        materials=frozenset({"cast", "ceramic", "metal", "painted"}),
        requires=frozenset({"border"}),
    ),
)


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
