"""Fingerprints."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.impurities.fingerprints import Fingerprint, FingerprintParameters, simulate_ridges
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import ImpurityEntry
from scenes.catalogue.placement.placing import anchored, place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Degrees, Fraction, Severity
from scenes.quantities.scene_model import SceneModel

FAINTEST = 0.12  # share of the grease at severity 0
LOOPS, WHORLS = 0.65, 0.30  # shares of fingers with these patterns; arches are the rest


class FingerprintRecipe(PlacedRecipeModel):
    """See `procgen.impurities.fingerprints`; severity is the amount of grease. At turn_degrees 0 the fingertip points
    along v."""

    class_name: ClassVar[str] = "fingerprint"
    family: ClassVar[Family] = "impurity"
    kind: Literal["fingerprint"]
    count: Count
    severity: Severity = Constant(1.0)
    pattern: Literal["any", "arch", "loop", "whorl"] = Field("any", description="Flow of the ridges")
    width_mm: Annotated[Distribution, Within(2, 40)] = Field(
        Constant(14.0), description="Width of the area that the finger touched"
    )
    length_mm: Annotated[Distribution, Within(2, 60)] = Field(
        Constant(19.0), description="Length of the area that the finger touched"
    )
    ridge_period_um: Annotated[Distribution, Within(200, 1000)] = Field(
        Constant(450.0), title="Ridge Pitch", description="From ridge to ridge"
    )
    turn_degrees: Degrees = Field(Constant(0.0), description="Turn on the surface: 0° is fingertip up")
    pressure: Fraction = Field(
        Constant(0.5), description="0 prints the crests of the ridges alone, 1 floods the valleys"
    )
    haze: Fraction = Field(Constant(0.35), description="Share of the light that the grease of a ridge scatters")

    def sample(self, surface: Chart, stream: RandomStream) -> list[FingerprintLayer]:
        """The fingerprints of one frame."""
        return [self._one(surface, stream.at(number)) for number in range(stream.whole("count", self.count))]

    def _one(self, surface: Chart, stream: RandomStream) -> FingerprintLayer:
        quantities = stream.quantities(self, omit=("count", "severity"))
        turn, haze = quantities.pop("turn"), quantities.pop("haze")
        share = stream.chance("pattern")
        natural: Literal["arch", "loop", "whorl"] = (
            "loop" if share < LOOPS else "whorl" if share < LOOPS + WHORLS else "arch"
        )
        return FingerprintLayer(
            parameters=FingerprintParameters(pattern=natural if self.pattern == "any" else self.pattern, **quantities),
            place=place_within(surface, stream, reach=0.5 * quantities["length"]),
            turn=turn,
            haze=haze * share_at(self.severity, stream, least=FAINTEST),
            seed=stream.layer_seed(),
        )


class FingerprintLayer(SceneModel):
    """One fingerprint, to be grown with its middle at `place`, metres on the chart, turned by `turn` radians."""

    kind: Literal["fingerprint"] = "fingerprint"
    parameters: FingerprintParameters
    place: tuple[float, float]
    turn: float
    haze: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The print of the ridges that grow."""
        ridges = simulate_ridges(self.parameters, np.random.default_rng(self.seed))
        return Fingerprint(anchored(surface, self.place, self.turn), self.parameters, ridges, self.haze, self.seed)


ENTRIES = (
    ImpurityEntry(
        kind="fingerprint",
        recipe=FingerprintRecipe,
        drawn=FingerprintLayer,
        title="Fingerprint",
        tooltip="The grease of a finger's ridges",
        noun="fingerprint",
    ),
)
