"""Inclusions and patches: what was rolled into a sheet."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from procgen.defects.inclusions import Inclusion, InclusionClass
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.placement.placing import Origin, anchored, place_at
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import (
    Count,
    Fine,
    Fraction,
    ReflectanceChange,
    RoughnessChange,
    Severity,
    SurfaceAngle,
)
from scenes.quantities.scene_model import NotNegative, Positive, SceneModel

FAINTEST = 0.2  # share of its darkness at severity 0

Raggedness = Annotated[Distribution, Within(0, 1)]
Contrast = Annotated[Distribution, Within(0, 2)]
Softness = Annotated[Distribution, Within(0, 100)]


class InclusionRecipe(PlacedRecipeModel):
    """Foreign matter rolled in and drawn out along the rolling direction; severity: how dark."""

    class_name: ClassVar[str] = "inclusion"
    family: ClassVar[Family] = "defect"
    kind: Literal["inclusion"]
    count: Count
    origin: Origin = "anywhere"
    severity: Severity = Constant(1.0)
    length_mm: Fine = Field(description="Length from end to end")
    width_mm: Fine = Field(description="Width from side to side")
    angle_degrees: SurfaceAngle
    ragged: Raggedness = Field(Constant(0.3), description="How far the edge wanders, over half the width")
    ragged_size_mm: Fine = Field(Constant(0.5), description="Size of what frays at the edge, across")
    softness_mm: Softness = Field(Constant(0.3), description="Width over which the edge fades")
    reflectance_change: ReflectanceChange = Constant(-0.1)
    roughness_change: RoughnessChange = Constant(0.0)
    speckle: Contrast = Field(Constant(0.2), description="How much its specks differ in darkness")
    speckle_size_mm: Fine = Field(Constant(0.2), description="Size of its specks")
    opacity: Fraction = Field(Constant(0.0), description="Share of the surface that it hides, grain and all")
    reflectance: Fraction = Field(Constant(0.03), description="Its own reflectance, where it hides the surface")
    roughness: Fraction = Field(Constant(0.5), description="Its own roughness, where it hides the surface")

    def sample(self, surface: Chart, stream: RandomStream) -> list[InclusionLayer]:
        """The inclusions of one frame."""
        return [_one(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class PatchRecipe(InclusionRecipe):
    """Scale rolled in as a patch; severity: how dark."""

    class_name: ClassVar[str] = "patch"
    kind: Literal["patch"]  # type: ignore[assignment]


class InclusionLayer(SceneModel):
    """One of them about `place` (metres on the chart), its length in the direction `angle`."""

    kind: Literal["inclusion"] = "inclusion"
    class_name: InclusionClass
    length: Positive
    width: Positive
    ragged: NotNegative
    ragged_size: Positive
    softness: NotNegative
    reflectance_change: float
    roughness_change: float
    speckle: NotNegative
    speckle_size: Positive
    opacity: NotNegative = 0.0
    reflectance: NotNegative = 0.03
    roughness: NotNegative = 0.5
    place: tuple[float, float]
    angle: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The inclusion on the surface."""
        anchor = anchored(surface, self.place, self.angle)
        return Inclusion(anchor, **self.model_dump(exclude={"kind", "place", "angle"}))


ENTRIES = (
    DefectEntry(
        kind="inclusion",
        recipe=InclusionRecipe,
        drawn=InclusionLayer,
        title="Inclusion",
        tooltip="Foreign matter that was rolled into the sheet and drawn out with it",
        noun="inclusion",
        materials=frozenset({"cast", "metal"}),
    ),
    DefectEntry(
        kind="patch",
        recipe=PatchRecipe,
        drawn=InclusionLayer,
        title="Patch",
        tooltip="A ragged patch of scale that was rolled into the sheet",
        noun="patch",
        materials=frozenset({"asphalt", "metal"}),
    ),
)


def _one(recipe: InclusionRecipe, surface: Chart, stream: RandomStream) -> InclusionLayer:
    quantities = stream.quantities(recipe, omit=("count", "severity"))
    share = share_at(recipe.severity, stream, least=FAINTEST)
    quantities |= {name: share * quantities[name] for name in ("reflectance_change", "opacity")}
    place = place_at(recipe.origin, surface, stream)
    return InclusionLayer(class_name=recipe.kind, place=place, seed=stream.layer_seed(), **quantities)
