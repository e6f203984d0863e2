"""Gouges that something blunt tore."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from procgen.defects.gouges import Gouge
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

FAINTEST = 0.1  # share of a gouge's depth at severity 0

Share = Annotated[Distribution, Within(0, 0.45)]


class GougeRecipe(PlacedRecipeModel):
    """See `procgen.defects.gouges`; severity is the depth that the tool dug to, and the width goes with its root."""

    class_name: ClassVar[str] = "gouge"
    family: ClassVar[Family] = "defect"
    kind: Literal["gouge"]
    count: Count
    origin: Origin = "anywhere"
    severity: Severity = Constant(1.0)
    length_mm: Fine = Field(description="Length from end to end")
    angle_degrees: SurfaceAngle
    bend_degrees: Annotated[Distribution, Within(-180, 180)] = Field(
        Constant(0.0), description="How far it turns from end to end"
    )
    width_um: Annotated[Distribution, Within(1, 50_000)] = Field(description="Width from side to side")
    depth_um: Annotated[Distribution, Within(0.1, 10_000)] = Field(description="Depth below the surface")
    run_in: Share = Field(Constant(0.2), title="Run-In", description="Share of the length over which the tool digs in")
    smear: Share = Field(Constant(0.12), description="Share of the length over which torn metal lies smeared")
    smear_height: Fraction = Field(Constant(0.5), description="Height of the smeared metal, over the depth")
    ragged: Fraction = Field(Constant(0.25), description="Unevenness of the outline")
    ragged_length_mm: Fine = Field(Constant(0.8), description="Length over which the outline changes")
    tear: Fraction = Field(Constant(0.2), description="Swing of the torn floor, over the depth")
    lip: Fraction = Field(
        Constant(0.3), title="Lip Height", description="Height of the raised edges, over the depth beside them"
    )
    reflectance_change: ReflectanceChange = Constant(0.0)
    roughness_change: RoughnessChange = Constant(0.2)

    def sample(self, surface: Chart, stream: RandomStream) -> list[GougeLayer]:
        """The gouges of one frame."""
        return [_gouge(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class GougeLayer(SceneModel):
    """One gouge from `start` (metres on the chart), its middle heading in the direction `heading` (radians).

    run_in, smear: shares of the length.
    """

    kind: Literal["gouge"] = "gouge"
    start: tuple[float, float]
    length: Positive
    heading: float
    bend: float
    width: Positive
    depth: Positive
    run_in: NotNegative
    smear: NotNegative
    smear_height: NotNegative
    ragged: NotNegative
    ragged_length: Positive
    tear: NotNegative
    lip: NotNegative
    reflectance_change: float
    roughness_change: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The gouge in the surface."""
        path = Path(surface.embed(arc(self.start, self.length, self.heading, self.bend)))
        placed = {"kind", "start", "length", "heading", "bend", "run_in", "smear"}
        run_in, smear = self.run_in * path.length, self.smear * path.length
        return Gouge(path, run_in=run_in, smear=smear, **self.model_dump(exclude=placed))


ENTRIES = (
    DefectEntry(
        kind="gouge",
        recipe=GougeRecipe,
        drawn=GougeLayer,
        title="Gouge",
        tooltip="A torn groove with smeared metal at its end",
        noun="gouge",
        materials=frozenset({"cast", "metal"}),
    ),
)


def _gouge(recipe: GougeRecipe, surface: Chart, stream: RandomStream) -> GougeLayer:
    quantities = stream.quantities(recipe, omit=("count", "severity"))
    share = share_at(recipe.severity, stream, least=FAINTEST)
    quantities["width"] *= math.sqrt(share)
    depth = quantities["depth"] = quantities["depth"] * share
    for name in ("smear_height", "lip"):
        quantities[name] *= depth
    start, heading = place_line(
        recipe.origin,
        surface,
        stream,
        quantities["length"],
        quantities.pop("angle"),
        reach=0.5 * quantities["width"] + sagitta(quantities["length"], quantities["bend"]),
    )
    return GougeLayer(start=start, heading=heading, seed=stream.layer_seed(), **quantities)
