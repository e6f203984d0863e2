"""Worn places and uneven grinding."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from procgen.defects.wear import Wear
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
    Degrees,
    Fine,
    Fraction,
    Microns,
    ReflectanceChange,
    RoughnessChange,
    Severity,
    SurfaceAngle,
)
from scenes.quantities.scene_model import NotNegative, Positive, SceneModel

FAINTEST = 0.2  # share of all that wear changes at severity 0

Offset = Annotated[Distribution, Within(0, 100)]


class WearRecipe(PlacedRecipeModel):
    """See `procgen.defects.wear`; severity is the time that rubbing, or the wheel, stayed: it scales all changes
    alike."""

    class_name: ClassVar[str] = "wear"
    family: ClassVar[Family] = "defect"
    kind: Literal["wear"]
    count: Count
    origin: Origin = "anywhere"
    severity: Severity = Constant(1.0)
    length_mm: Fine = Field(description="Length of the worn band")
    width_mm: Fine = Field(description="Width of the worn band")
    angle_degrees: SurfaceAngle
    lay_degrees: Degrees = Field(
        Constant(0.0), description="Direction of the marks: 0° is along the width, 90° upright"
    )
    softness_mm: Offset = Field(Constant(1.0), description="Width over which the edge fades")
    waviness_mm: Offset = Field(Constant(0.5), description="How far the edge wanders")
    wavelength_mm: Fine = Field(Constant(5.0), title="Wavelength", description="Length over which the edge wanders")
    fray_mm: Offset = Field(Constant(0.5), description="How far the ends of the single marks differ")
    mark_length_mm: Fine = Field(Constant(10.0), description="Length of the single marks")
    mark_width_mm: Fine = Field(Constant(0.1), description="Width of the single marks")
    reflectance_change: ReflectanceChange = Constant(0.0)
    roughness_change: RoughnessChange = Constant(0.0)
    streaks: Fraction = Field(Constant(0.02), description="Contrast of its single marks")
    depth_um: Microns = Field(Constant(0.0), description="Depth below the surface")

    def sample(self, surface: Chart, stream: RandomStream) -> list[WearLayer]:
        """The worn places of one frame."""
        return [_wear(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class WearLayer(SceneModel):
    """One worn band about `place` (metres on the chart) in the direction `angle`; lay: of its marks, from there."""

    kind: Literal["wear"] = "wear"
    length: Positive
    width: Positive
    lay: float
    softness: NotNegative
    waviness: NotNegative
    wavelength: Positive
    fray: NotNegative
    mark_length: Positive
    mark_width: Positive
    reflectance_change: float
    roughness_change: float
    streaks: NotNegative
    depth: NotNegative
    place: tuple[float, float]
    angle: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The band on the surface."""
        anchor = anchored(surface, self.place, self.angle)
        return Wear(anchor, **self.model_dump(exclude={"kind", "place", "angle"}))


ENTRIES = (
    DefectEntry(
        kind="wear",
        recipe=WearRecipe,
        drawn=WearLayer,
        title="Wear",
        tooltip="A rubbed or unevenly ground band",
        noun="wear",
        countable=False,
        materials=frozenset({"asphalt", "metal"}),
    ),
)


def _wear(recipe: WearRecipe, surface: Chart, stream: RandomStream) -> WearLayer:
    quantities = stream.quantities(recipe, omit=("count", "severity"))
    share = share_at(recipe.severity, stream, least=FAINTEST)
    for name in ("reflectance_change", "roughness_change", "streaks", "depth"):
        quantities[name] *= share
    quantities["lay"] -= quantities["angle"]
    return WearLayer(place=place_at(recipe.origin, surface, stream), seed=stream.layer_seed(), **quantities)
