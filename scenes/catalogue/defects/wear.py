"""Worn places and uneven grinding."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from procgen.defects.wear import Wear
from procgen.surface.layer import Family, Layer
from scenes.catalogue.placement.placing import Origin, anchored, place_at
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Degrees, Fine, Fraction, Microns, Signed
from scenes.quantities.scene_model import NotNegative, Positive, SceneModel

FAINTEST = 0.2  # share of all that wear changes at severity 0

Offset = Annotated[Distribution, Within(0, 100)]


class WearRecipe(PlacedRecipeModel):
    """See `procgen.defects.wear`; severity is the time that rubbing, or the wheel, stayed: it scales all changes alike.

    length_mm: along the band; width_mm: across. angle_degrees: of the band, lay_degrees: of its marks, on the chart.
    """

    class_name: ClassVar[str] = "wear"
    family: ClassVar[Family] = "defect"
    kind: Literal["wear"]
    count: Count
    origin: Origin = "anywhere"
    severity: Fraction = Constant(1.0)
    length_mm: Fine
    width_mm: Fine
    angle_degrees: Degrees
    lay_degrees: Degrees = Constant(0.0)
    softness_mm: Offset = Constant(1.0)
    waviness_mm: Offset = Constant(0.5)
    wavelength_mm: Fine = Constant(5.0)
    fray_mm: Offset = Constant(0.5)
    mark_length_mm: Fine = Constant(10.0)
    mark_width_mm: Fine = Constant(0.1)
    reflectance_change: Signed = Constant(0.0)
    roughness_change: Signed = Constant(0.0)
    streaks: Fraction = Constant(0.02)
    depth_um: Microns = Constant(0.0)

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


def _wear(recipe: WearRecipe, surface: Chart, stream: RandomStream) -> WearLayer:
    quantities = stream.quantities(recipe, omit=("count", "severity"))
    share = share_at(recipe.severity, stream, least=FAINTEST)
    for name in ("reflectance_change", "roughness_change", "streaks", "depth"):
        quantities[name] *= share
    quantities["lay"] -= quantities["angle"]
    return WearLayer(place=place_at(recipe.origin, surface, stream), seed=stream.layer_seed(), **quantities)
