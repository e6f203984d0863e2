"""Scratches of a hard tip dragged over the surface."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.defects.scratches import Scratch, ScratchProfile, simulate_tracks
from procgen.surface.layer import Family, Layer
from procgen.surface.paths import Path, arc, sagitta
from scenes.catalogue.placement.placing import Origin, place_line
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Degrees, Fine, Fraction, Signed
from scenes.quantities.scene_model import NotNegative, Positive, SceneModel

FAINTEST = 0.1  # share of a scratch's depth at severity 0
OF_THE_TIP = {
    "stick_slip",
    "stick_slip_length",
    "contact",
    "contact_length",
    "reflectance_change",
    "roughness_change",
    "seed",
}

Bend = Annotated[Distribution, Within(-180, 180)]
Tracks = Annotated[Distribution, Within(1, 50, whole=True)]
HalfShare = Annotated[Distribution, Within(0, 0.5)]


class ScratchRecipe(PlacedRecipeModel):
    """See `procgen.defects.scratches`; severity is the depth that the tip cuts to, and the width goes with its root.

    run_in, run_out: shares of the length over which the tip goes down and comes up again. tracks: of one body that
    touches in so many points over spread_mm, which begin and end up to `stagger` of the length after each other.
    contact: share of the length on which a tip that bounces every contact_length_mm touches.
    """

    class_name: ClassVar[str] = "scratch"
    family: ClassVar[Family] = "defect"
    kind: Literal["scratch"]
    count: Count
    origin: Origin = "anywhere"
    severity: Fraction = Constant(1.0)
    length_mm: Fine
    angle_degrees: Degrees
    bend_degrees: Bend = Constant(0.0)
    width_um: Annotated[Distribution, Within(1, 10_000)]
    depth_um: Annotated[Distribution, Within(0.01, 10_000)]
    cutting: Fraction = Constant(0.4)
    left_share: Fraction = Constant(0.5)
    ridge_width: Annotated[Distribution, Within(0.05, 2)] = Constant(0.4)
    run_in: HalfShare = Constant(0.1)
    run_out: HalfShare = Constant(0.3)
    stick_slip: Fraction = Constant(0.3)
    stick_slip_length_mm: Fine = Constant(1.0)
    contact: Annotated[Distribution, Within(0.05, 1)] = Constant(1.0)
    contact_length_mm: Fine = Constant(10.0)
    tracks: Tracks = Constant(1.0)
    spread_mm: Fine = Constant(1.0)
    stagger: HalfShare = Constant(0.1)
    reflectance_change: Signed = Constant(0.0)
    roughness_change: Signed = Constant(0.0)

    def sample(self, surface: Chart, stream: RandomStream) -> list[ScratchLayer]:
        """The scratches of one frame."""
        return [_scratch(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class ScratchLayer(SceneModel):
    """One scratch from `start` (metres on the chart), its middle heading in the direction `heading` (radians)."""

    kind: Literal["scratch"] = "scratch"
    profile: ScratchProfile
    start: tuple[float, float]
    length: Positive
    heading: float
    bend: float
    run_in: NotNegative
    run_out: NotNegative
    stick_slip: NotNegative
    stick_slip_length: Positive
    contact: Positive = 1.0
    contact_length: Positive = 0.01
    tracks: int = Field(default=1, ge=1)
    spread: Positive = 0.001
    stagger: NotNegative = 0.0
    reflectance_change: float
    roughness_change: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The scratch on the surface."""
        path = Path(surface.embed(arc(self.start, self.length, self.heading, self.bend)))
        longer = path.length / self.length  # where the chart is not unrolled without stretch
        return Scratch(
            path,
            self.profile,
            run_in=self.run_in * longer,
            run_out=self.run_out * longer,
            tracks=simulate_tracks(self.tracks, self.spread, self.stagger, np.random.default_rng(self.seed)),
            **self.model_dump(include=OF_THE_TIP),
        )


def _scratch(recipe: ScratchRecipe, surface: Chart, stream: RandomStream) -> ScratchLayer:
    quantities = stream.quantities(recipe, omit=("count", "severity", "tracks"))
    share = share_at(recipe.severity, stream, least=FAINTEST)
    length, tracks = quantities.pop("length"), stream.whole("tracks", recipe.tracks)
    start, heading = place_line(
        recipe.origin,
        surface,
        stream,
        length,
        quantities.pop("angle"),
        reach=0.5 * (quantities["width"] + (tracks > 1) * quantities["spread"]) + sagitta(length, quantities["bend"]),
    )
    profile = ScratchProfile(
        width=quantities.pop("width") * math.sqrt(share),
        depth=quantities.pop("depth") * share,
        **{name: quantities.pop(name) for name in ("cutting", "left_share", "ridge_width")},
    )
    return ScratchLayer(
        profile=profile,
        start=start,
        length=length,
        heading=heading,
        run_in=quantities.pop("run_in") * length,
        run_out=quantities.pop("run_out") * length,
        tracks=tracks,
        seed=stream.layer_seed(),
        **quantities,
    )
