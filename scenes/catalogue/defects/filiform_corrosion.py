"""Filiform corrosion around scratches and edges of a coating."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.defects.corrosion.filiform import FilamentParameters, FiliformCorrosion, simulate_filaments
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.placement.placing import place_on_border, place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import Colour, RandomStream
from scenes.quantities.recipe_model import Count, Fine, Fraction, Hours, Microns, Severity, SurfaceAngle
from scenes.quantities.scene_model import NotNegative, SceneModel
from scenes.quantities.units import HOUR, MM

LEAST_EXPOSURE = 0.1  # share of the hours that has passed at severity 0
Point = tuple[float, float]


class FiliformRecipe(PlacedRecipeModel):
    """Rusty threads that creep under a coating, away from a scratch or an edge, and never cross.

    Each thread has a dark active head, which keeps its direction over `persistence_mm` and turns away from metal that
    is used up; threads start at random times along the scratch, which itself is undermined as √time (after Bautista,
    Progress in Organic Coatings 28, 1996). `severity` says how much of `hours` has passed: at more hours, the same seed
    is the same scratch with longer threads. One instance is a scratch with all that grows from it.
    """

    class_name: ClassVar[str] = "filiform_corrosion"
    family: ClassVar[Family] = "defect"
    kind: Literal["filiform_corrosion"]
    count: Count
    severity: Severity = Constant(1.0)
    hours: Hours = Field(
        title="Age", description="Time since it began, in hours; the same seed at more hours has grown on"
    )
    origin: Literal["scratch", "edge"] = Field(
        "scratch",
        description="What the threads creep away from: a scratch anywhere, or one along the border",
    )
    length_mm: Fine = Field(description="Length of the scratch that the threads start from")
    angle_degrees: SurfaceAngle = Constant(0.0)
    density_per_mm: Annotated[Distribution, Within(0, 100)] = Field(
        description="Threads that will ever start, in a millimetre of the scratch"
    )
    decay_hours: Annotated[Distribution, Within(0.01, 100_000)] = Field(
        Constant(24.0), description="Time over which new ones become rare"
    )
    speed_mm_per_day: Annotated[Distribution, Within(0.001, 1000)] = Field(
        description="How fast the head of a thread creeps"
    )
    width_um: Annotated[Distribution, Within(1, 10_000)] = Field(description="Median width of a thread")
    persistence_mm: Fine = Field(Constant(4.0), description="The longer, the straighter the threads")
    creep_um: Microns = Field(
        Constant(100.0), description="How far the coating is undermined beside the scratch after a day"
    )
    ragged: Fraction = Field(Constant(0.15), description="Unevenness of the outline")
    ragged_size_mm: Fine = Field(Constant(0.3), description="Size of the unevenness of the outline")
    blister_um: Microns = Field(Constant(30.0), description="How high the threads lift the coating")
    head_length_mm: Fine = Field(Constant(0.8), description="Length of a thread's active head")
    tail_colour: tuple[Fraction, Fraction, Fraction] = Field(
        (Constant(0.27), Constant(0.13), Constant(0.06)), description="Colour of the rust behind a thread's head"
    )
    head_colour: tuple[Fraction, Fraction, Fraction] = Field(
        (Constant(0.05), Constant(0.045), Constant(0.04)), description="Colour of a thread's dark, active head"
    )
    opacity: Fraction = Field(Constant(0.85), description="Share of the surface that the rust hides")
    roughness: Fraction = Field(Constant(0.7), description="Of the reflection: 0 is a mirror, 1 is chalk")

    def sample(self, surface: Chart, stream: RandomStream) -> list[FiliformLayer]:
        """The corroded scratches of one frame."""
        return [_scratch(self, surface, stream.at(number)) for number in range(stream.whole("count", self.count))]


class FiliformLayer(SceneModel):
    """One scratch from `start` to `end`, metres on the chart, from which threads are to grow for `time` seconds."""

    kind: Literal["filiform_corrosion"] = "filiform_corrosion"
    parameters: FilamentParameters
    time: NotNegative
    start: Point
    end: Point
    ragged: float
    ragged_size: float
    blister: float
    head_length: float
    tail_colour: Colour
    head_colour: Colour
    opacity: float
    roughness: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The field over the surface that the threads make."""
        line = np.array([self.start, self.end])
        threads = simulate_filaments(self.parameters, [line], self.time, np.random.default_rng(self.seed))
        return FiliformCorrosion(
            threads.embedded(surface.embed),
            self.ragged,
            self.ragged_size,
            self.blister,
            self.head_length,
            self.tail_colour,
            self.head_colour,
            self.opacity,
            self.roughness,
            self.seed,
        )


ENTRIES = (
    DefectEntry(
        kind="filiform_corrosion",
        recipe=FiliformRecipe,
        drawn=FiliformLayer,
        title="Filiform Corrosion",
        tooltip="Rusty threads that creep under a coating",
        noun="corrosion",
        fixed_in_space=True,
        countable=False,
        materials=frozenset({"metal", "painted"}),
    ),
)


def _scratch(recipe: FiliformRecipe, surface: Chart, stream: RandomStream) -> FiliformLayer:
    quantities = stream.quantities(recipe, omit=("count", "severity"))
    time = HOUR * quantities.pop("hours") * share_at(recipe.severity, stream, least=LEAST_EXPOSURE)
    speed = quantities.pop("speed_mm_per_day") * MM / (24 * HOUR)
    length, turn = quantities.pop("length"), quantities.pop("angle")
    if recipe.origin == "scratch":
        (u, v), heading = place_within(surface, stream), turn
    else:
        (u, v), inward = place_on_border(surface, stream, ends_only=False)
        heading = inward + math.pi / 2 + turn
    du, dv = length / 2 * math.cos(heading), length / 2 * math.sin(heading)
    growth = {name: quantities.pop(name) for name in ("density", "decay", "width", "persistence", "creep")}
    return FiliformLayer(
        parameters=FilamentParameters(speed=speed, **growth),
        time=time,
        start=(u - du, v - dv),
        end=(u + du, v + dv),
        **quantities,
        tail_colour=stream.colour("tail_colour", recipe.tail_colour),
        head_colour=stream.colour("head_colour", recipe.head_colour),
        seed=stream.layer_seed(),
    )
