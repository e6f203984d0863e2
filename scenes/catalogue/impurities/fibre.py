"""Lint and hair."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.impurities.fibres import Fibre, curled
from procgen.surface.layer import Family, Layer
from procgen.surface.paths import Path
from scenes.catalogue.entry import ImpurityEntry
from scenes.catalogue.placement.placing import place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import Colour, RandomStream
from scenes.quantities.recipe_model import Count, Degrees, Fine, Fraction
from scenes.quantities.scene_model import SceneModel


class FibreRecipe(PlacedRecipeModel):
    """See `procgen.impurities.fibres`; curl_degrees is the turn from end to end, waviness_degrees how far it strays
    from that."""

    class_name: ClassVar[str] = "fibre"
    family: ClassVar[Family] = "impurity"
    kind: Literal["fibre"]
    count: Count
    length_mm: Fine = Field(description="Length from end to end")
    width_um: Annotated[Distribution, Within(1, 1000)] = Field(description="Thickness of the fibre")
    curl_degrees: Degrees = Field(Constant(0.0), description="Turn from end to end")
    waviness_degrees: Annotated[Distribution, Within(0, 720)] = Field(
        Constant(120.0), description="How far its direction strays on the way"
    )
    colour: tuple[Fraction, Fraction, Fraction] = Field(
        (Constant(0.05), Constant(0.06), Constant(0.1)), description="Linear red, green and blue"
    )
    opacity: Fraction = Field(Constant(0.9), description="Share of the surface that it hides")

    def sample(self, surface: Chart, stream: RandomStream) -> list[FibreLayer]:
        """The fibres of one frame."""
        return [self._one(surface, stream.at(number)) for number in range(stream.whole("count", self.count))]

    def _one(self, surface: Chart, stream: RandomStream) -> FibreLayer:
        quantities = stream.quantities(self, omit=("count",))
        return FibreLayer(
            **quantities,
            place=place_within(surface, stream, reach=0.5 * quantities["length"]),
            colour=stream.colour("colour", self.colour),
            seed=stream.layer_seed(),
        )


class FibreLayer(SceneModel):
    """One fibre that lies round `place`, metres on the chart; curl and waviness in radians."""

    kind: Literal["fibre"] = "fibre"
    place: tuple[float, float]
    length: float
    width: float
    curl: float
    waviness: float
    colour: Colour
    opacity: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The fibre as it fell."""
        course = curled(self.length, self.curl, self.waviness, np.random.default_rng(self.seed))
        return Fibre(Path(surface.embed(np.array(self.place) + course)), self.width, self.colour, self.opacity)


ENTRIES = (
    ImpurityEntry(
        kind="fibre",
        recipe=FibreRecipe,
        drawn=FibreLayer,
        title="Fibre",
        tooltip="Lint",
        noun="fibre",
    ),
)
