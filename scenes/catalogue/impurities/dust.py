"""Settled dust."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.impurities.dust import Dust, settled_grains
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import ImpurityEntry
from scenes.catalogue.layer_model import LayerRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import Colour, RandomStream
from scenes.quantities.recipe_model import Fraction, Probability, Severity
from scenes.quantities.scene_model import SceneModel

FAINTEST = 0.05  # share of the grains at severity 0


class DustRecipe(LayerRecipeModel):
    """See `procgen.impurities.dust`; severity is how long dust has settled, and so how many grains lie there."""

    class_name: ClassVar[str] = "dust"
    family: ClassVar[Family] = "impurity"
    kind: Literal["dust"]
    probability: Probability = 1.0
    severity: Severity = Constant(1.0)
    density_per_cm2: Annotated[Distribution, Within(0, 100)] = Field(
        description="How many there are in a square centimetre"
    )
    radius_um: Annotated[Distribution, Within(1, 1000)] = Field(description="Median radius")
    radius_sigma: Annotated[Distribution, Within(0, 1.5)] = Field(
        Constant(0.5), title="Radius Spread", description="How much sizes differ: standard deviation of their logarithm"
    )
    irregularity: Fraction = Field(Constant(0.25), description="Unevenness of a grain's outline")
    colour: tuple[Fraction, Fraction, Fraction] = Field(
        (Constant(0.3), Constant(0.27), Constant(0.23)), description="Linear red, green and blue"
    )
    opacity: Fraction = Field(Constant(0.9), description="Share of the surface that it hides")

    def sample(self, surface: Chart, stream: RandomStream) -> list[DustLayer]:
        """The dust of one frame, if it has any."""
        if stream.chance("probability") >= self.probability:
            return []
        quantities = stream.quantities(self, omit=("severity",))
        quantities["density"] *= share_at(self.severity, stream, least=FAINTEST)
        return [DustLayer(**quantities, colour=stream.colour("colour", self.colour), seed=stream.layer_seed())]


class DustLayer(SceneModel):
    """Grains, `density` of them per m², median radius in metres."""

    kind: Literal["dust"] = "dust"
    density: float
    radius: float
    radius_sigma: float
    irregularity: float
    colour: Colour
    opacity: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The grains as they happened to settle: a Poisson process over the chart."""
        rng = np.random.default_rng(self.seed)
        width, height = surface.size
        places = rng.uniform((0.0, 0.0), (width, height), (rng.poisson(self.density * width * height), 2))
        places = places[surface.covers(places)]
        grains = settled_grains(surface.embed(places), self.radius, self.radius_sigma, self.irregularity, rng)
        return Dust(grains, self.colour, self.opacity)


ENTRIES = (
    ImpurityEntry(
        kind="dust",
        recipe=DustRecipe,
        drawn=DustLayer,
        title="Dust",
        tooltip="Settled grains",
        noun="dust",
        countable=False,
    ),
)
