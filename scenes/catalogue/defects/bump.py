"""Bumps of sheet pressed out from behind."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from procgen.defects.bumps import Bump
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.placement.placing import Origin, anchored, place_at
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Fine, Fraction, ReflectanceChange, RoughnessChange, Severity
from scenes.quantities.scene_model import NotNegative, Positive, SceneModel

FAINTEST = 0.15  # share of a bump's height, and so of the load behind it, at severity 0


class BumpRecipe(PlacedRecipeModel):
    """See `procgen.defects.bumps`; severity is the load from behind, which the height follows in proportion."""

    class_name: ClassVar[str] = "bump"
    family: ClassVar[Family] = "defect"
    kind: Literal["bump"]
    count: Count
    origin: Origin = "anywhere"
    severity: Severity = Constant(1.0)
    diameter_mm: Fine = Field(description="Diameter of the circle that stays put")
    height_um: Annotated[Distribution, Within(0.1, 10_000)] = Field(description="Height above the surface")
    contact_share: Fraction = Field(
        Constant(0.2), description="Diameter of what pressed from behind, over that of the bump"
    )
    reflectance_change: ReflectanceChange = Constant(0.0)
    roughness_change: RoughnessChange = Constant(0.0)

    def sample(self, surface: Chart, stream: RandomStream) -> list[BumpLayer]:
        """The bumps of one frame."""
        return [_bump(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class BumpLayer(SceneModel):
    """One bump round `place`, metres on the chart of the inspected surface."""

    kind: Literal["bump"] = "bump"
    radius: Positive
    height: Positive
    contact_radius: NotNegative
    reflectance_change: float
    roughness_change: float
    place: tuple[float, float]

    def to_layer(self, surface: Chart) -> Layer:
        """The bump in the surface."""
        return Bump(anchored(surface, self.place), **self.model_dump(exclude={"kind", "place"}))


ENTRIES = (
    DefectEntry(
        kind="bump",
        recipe=BumpRecipe,
        drawn=BumpLayer,
        title="Bump",
        tooltip="Pressed out from behind",
        noun="bump",
        materials=frozenset({"metal", "painted"}),
    ),
)


def _bump(recipe: BumpRecipe, surface: Chart, stream: RandomStream) -> BumpLayer:
    quantities = stream.quantities(recipe, omit=("count", "severity"))
    radius = quantities.pop("diameter") / 2
    height = quantities.pop("height") * share_at(recipe.severity, stream, least=FAINTEST)
    place = place_at(recipe.origin, surface, stream, reach=radius)
    contact_radius = radius * quantities.pop("contact_share")
    return BumpLayer(radius=radius, height=height, contact_radius=contact_radius, place=place, **quantities)
