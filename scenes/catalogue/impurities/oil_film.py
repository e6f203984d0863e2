"""Thin films of oil."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from procgen.impurities.oil import Metal, OilFilm
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import ImpurityEntry
from scenes.catalogue.placement.placing import anchored, place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Degrees, Fine, Fraction, RoughnessChange, Severity
from scenes.quantities.scene_model import SceneModel

FAINTEST = 0.05  # share of the thickness at severity 0


class OilFilmRecipe(PlacedRecipeModel):
    """See `procgen.impurities.oil.OilFilm`; severity is the amount of oil: from a trace without colour to the
    thickness given."""

    class_name: ClassVar[str] = "oil_film"
    family: ClassVar[Family] = "impurity"
    kind: Literal["oil_film"]
    count: Count
    severity: Severity = Constant(1.0)
    radius_mm: Fine = Field(description="Radius of the film")
    thickness_nm: Annotated[Distribution, Within(1, 4000)] = Field(description="Thickness of the film in its middle")
    unevenness: Fraction = Field(Constant(0.4), description="How much the thickness of the film varies")
    raggedness: Fraction = Field(Constant(0.25), description="Unevenness of the outline")
    elongation: Annotated[Distribution, Within(0.1, 10)] = Field(Constant(1.0), description="Length over breadth")
    turn_degrees: Degrees = Field(Constant(0.0), description="Turn on the surface")
    metal: Metal = Field("iron", title="Bare Metal", description="The metal below, which shows through")
    roughness_change: RoughnessChange = Constant(-0.05)

    def sample(self, surface: Chart, stream: RandomStream) -> list[OilFilmLayer]:
        """The films of one frame."""
        return [self._one(surface, stream.at(number)) for number in range(stream.whole("count", self.count))]

    def _one(self, surface: Chart, stream: RandomStream) -> OilFilmLayer:
        quantities = stream.quantities(self, omit=("count", "severity"))
        anchor = anchored(surface, place_within(surface, stream, reach=quantities["radius"]), quantities.pop("turn"))
        quantities["thickness"] *= share_at(self.severity, stream, least=FAINTEST)
        return OilFilmLayer(film=OilFilm(anchor=anchor, metal=self.metal, seed=stream.layer_seed(), **quantities))


class OilFilmLayer(SceneModel):
    """One film of oil."""

    kind: Literal["oil_film"] = "oil_film"
    film: OilFilm

    def to_layer(self, surface: Chart) -> Layer:
        """The film itself: it has nothing to simulate."""
        return self.film


ENTRIES = (
    ImpurityEntry(
        kind="oil_film",
        recipe=OilFilmRecipe,
        drawn=OilFilmLayer,
        title="Oil Film",
        tooltip="A film so thin that it shows colours",
        noun="oil",
        countable=False,
    ),
)
