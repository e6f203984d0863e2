"""Scratches of a hard tip dragged over the surface."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.defects.scratches import Scratch, ScratchProfile, simulate_tracks
from procgen.surface.layer import Family, Layer
from procgen.surface.paths import Path, arc, sagitta
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.placement.placing import Origin, place_line
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import (
    Count,
    Fine,
    Fraction,
    ReflectanceChange,
    RoughnessChange,
    Severity,
    SurfaceAngle,
)
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

OF_THE_BED = {"bed", "bed_length", "bed_width"}

Bend = Annotated[Distribution, Within(-180, 180)]
Tracks = Annotated[Distribution, Within(1, 50, whole=True)]
HalfShare = Annotated[Distribution, Within(0, 0.5)]


class ScratchRecipe(PlacedRecipeModel):
    """See `procgen.defects.scratches`; severity is the depth that the tip cuts to, and the width goes with its root."""

    class_name: ClassVar[str] = "scratch"
    family: ClassVar[Family] = "defect"
    kind: Literal["scratch"]
    count: Count
    origin: Origin = "anywhere"
    severity: Severity = Constant(1.0)
    length_mm: Fine = Field(description="Length from end to end")
    angle_degrees: SurfaceAngle
    bend_degrees: Bend = Field(Constant(0.0), description="How far it turns from end to end")
    width_um: Annotated[Distribution, Within(1, 10_000)] = Field(description="Width from side to side")
    depth_um: Annotated[Distribution, Within(0.01, 10_000)] = Field(description="Depth below the surface")
    cutting: Fraction = Field(
        Constant(0.4), description="Share of the groove that is cut away as a chip; the rest stands in the ridges"
    )
    left_share: Fraction = Field(Constant(0.5), description="Share of the ridges that stands on the left side")
    ridge_width: Annotated[Distribution, Within(0.05, 2)] = Field(
        Constant(0.4), description="Width of each ridge over that of the groove"
    )
    run_in: HalfShare = Field(
        Constant(0.1), title="Run-In", description="Share of the length over which the tip goes down"
    )
    run_out: HalfShare = Field(
        Constant(0.3), title="Run-Out", description="Share of the length over which the tip comes up again"
    )
    stick_slip: Fraction = Field(
        Constant(0.3), title="Stick-Slip", description="Swing of the depth as the tip sticks and slips"
    )
    stick_slip_length_mm: Fine = Field(Constant(1.0), title="Slip Length", description="From one slip to the next")
    contact: Annotated[Distribution, Within(0.05, 1)] = Field(
        Constant(1.0), description="Share of the length on which a tip that bounces touches"
    )
    contact_length_mm: Fine = Field(Constant(10.0), description="From bounce to bounce of the tip")
    bed: Fraction = Field(
        Constant(0.0), description="How far the bed of the groove is bare in streaks alone: 0 is bare all over"
    )
    bed_length_mm: Fine = Field(Constant(2.0), description="Length of the streaks in the bed")
    bed_width_um: Annotated[Distribution, Within(1, 10_000)] = Field(
        Constant(100.0), description="Width of the streaks in the bed"
    )
    tracks: Tracks = Field(
        Constant(1.0), description="In how many points the body touches, each with a groove of its own"
    )
    spread_mm: Fine = Field(Constant(1.0), description="How far apart the tracks of the body lie")
    stagger: HalfShare = Field(
        Constant(0.1), description="Share of the length by which the tracks begin and end after each other"
    )
    reflectance_change: ReflectanceChange = Constant(0.0)
    roughness_change: RoughnessChange = Constant(0.0)

    def sample(self, surface: Chart, stream: RandomStream) -> list[ScratchLayer]:
        """The scratches of one frame."""
        return [_scratch(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


def _even(value: float) -> bool:
    return value == 0


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
    bed: NotNegative = Field(0.0, exclude_if=_even)
    bed_length: NotNegative = Field(0.0, exclude_if=_even)
    bed_width: NotNegative = Field(0.0, exclude_if=_even)
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
            **self.model_dump(include=OF_THE_TIP | (OF_THE_BED if self.bed else set())),
        )


ENTRIES = (
    DefectEntry(
        kind="scratch",
        recipe=ScratchRecipe,
        drawn=ScratchLayer,
        title="Scratch",
        tooltip="The groove of something hard, between two ridges",
        noun="scratch",
        materials=frozenset({"board", "cast", "ceramic", "metal", "painted"}),
    ),
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
    if quantities["bed"] == 0:
        quantities["bed_length"] = quantities["bed_width"] = 0.0
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
