"""Settled dust."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.impurities.dust import Dust, settled_grains
from procgen.surface.layer import Family, Layer
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import Colour, RandomStream
from scenes.quantities.recipe_model import Fraction, RecipeModel
from scenes.quantities.scene_model import SceneModel

FAINTEST = 0.05  # share of the grains at severity 0


class DustRecipe(RecipeModel):
    """See `procgen.impurities.dust`; severity is how long dust has settled, and so how many grains lie there."""

    class_name: ClassVar[str] = "dust"
    family: ClassVar[Family] = "impurity"
    kind: Literal["dust"]
    probability: Annotated[float, Field(strict=True, ge=0, le=1)] = 1.0
    severity: Fraction = Constant(1.0)
    density_per_cm2: Annotated[Distribution, Within(0, 100)]
    radius_um: Annotated[Distribution, Within(1, 1000)]
    radius_sigma: Annotated[Distribution, Within(0, 1.5)] = Constant(0.5)
    irregularity: Fraction = Constant(0.25)
    colour: tuple[Fraction, Fraction, Fraction] = (Constant(0.3), Constant(0.27), Constant(0.23))
    opacity: Fraction = Constant(0.9)

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
