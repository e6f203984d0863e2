"""Dents of something hard that struck the surface."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from procgen.defects.dents import Dent, DentShape
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
    ReflectanceChange,
    Severity,
    Signed,
    SurfaceAngle,
    together,
)
from scenes.quantities.scene_model import SceneModel

FAINTEST = 0.15  # share of a dent's depth at severity 0
DEEPEST = 0.3  # depth over radius; deeper, the ball would go in beyond what DentShape can balance


class DentRecipe(PlacedRecipeModel):
    """See `procgen.defects.dents`; severity is the contact depth, and with the same ball the diameter goes with its
    root."""

    class_name: ClassVar[str] = "dent"
    family: ClassVar[Family] = "defect"
    kind: Literal["dent"]
    count: Count
    origin: Origin = "anywhere"
    severity: Severity = Constant(1.0)
    diameter_mm: Fine = Field(description="Diameter of the hollow")
    depth_um: Annotated[Distribution, Within(0.1, 10_000)] = Field(description="Depth below the surface")
    decay: Annotated[Distribution, Within(2.5, 12)] = Field(
        Constant(4.0), description="How fast the pile-up falls off around the hollow"
    )
    elongation: Annotated[Distribution, Within(1, 5)] = Field(Constant(1.0), description="Length over breadth")
    angle_degrees: SurfaceAngle = Constant(0.0)
    reflectance_change: ReflectanceChange = Constant(0.0)
    roughness_change: Signed = Field(
        Constant(0.0), title="Roughness ±", description="Burnished in the contact: negative"
    )

    @model_validator(mode="after")
    def _shallow(self) -> Self:
        deepest_um = DEEPEST * 500.0 * self.diameter_mm.low
        if self.depth_um.high > deepest_um:
            raise together(
                f"found depth_um up to {self.depth_um.high:g} with a diameter_mm from {self.diameter_mm.low:g}; "
                f"expected at most {deepest_um:g}, as deep as a ball goes before the material closes round it"
            )
        return self

    def sample(self, surface: Chart, stream: RandomStream) -> list[DentLayer]:
        """The dents of one frame."""
        return [_dent(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class DentLayer(SceneModel):
    """One dent at `place`, metres on the chart of the inspected surface, longest in the direction `angle` (radians)."""

    kind: Literal["dent"] = "dent"
    shape: DentShape
    elongation: float
    reflectance_change: float
    roughness_change: float
    place: tuple[float, float]
    angle: float

    def to_layer(self, surface: Chart) -> Layer:
        """The dent in the surface."""
        anchor = anchored(surface, self.place, self.angle)
        return Dent(anchor, self.shape, self.elongation, self.reflectance_change, self.roughness_change)


ENTRIES = (
    DefectEntry(
        kind="dent",
        recipe=DentRecipe,
        drawn=DentLayer,
        title="Dent",
        tooltip="The mark of something hard that fell on it, with its pile-up",
        noun="dent",
        materials=frozenset({"metal", "painted"}),
    ),
)


def _dent(recipe: DentRecipe, surface: Chart, stream: RandomStream) -> DentLayer:
    quantities = stream.quantities(recipe, omit=("count", "severity"))
    radius, depth = quantities.pop("diameter") / 2, quantities.pop("depth")
    ball = DentShape.of_size(radius, depth, quantities["decay"])
    place = place_at(recipe.origin, surface, stream, reach=radius * quantities["elongation"])
    shape = DentShape(
        ball.ball_radius, depth * share_at(recipe.severity, stream, least=FAINTEST), decay=quantities.pop("decay")
    )
    return DentLayer(shape=shape, place=place, **quantities)
