"""Uniform rust."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from procgen.defects.corrosion.rust import Rust, RustParameters, simulate_rust
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.placement.placing import population_places
from scenes.catalogue.placement.sites import Place, PlacedRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import Colour, RandomStream
from scenes.quantities.recipe_model import Fine, Fraction, Hours, Probability, Severity
from scenes.quantities.scene_model import NotNegative, SceneModel
from scenes.quantities.units import HOUR, MM

LEAST_EXPOSURE = 0.1  # share of the hours that has passed at severity 0


class RustRecipe(PlacedRecipeModel):
    """Rust that breaks out in spots, spreads, and thickens from a brown film to flakes.

    The share of the surface under rust follows Fisher's and Kolmogorov's equation, u_t = DΔu + ru(1-u), whose
    fronts move at `front_speed_mm_per_day`; its thickness grows with time^0.52; its colour over the metal is that
    of the layered albedo of Kubelka and Munk (1931). One population of spots per frame, present with `probability`.
    `severity` says how much of `hours` has passed: at more hours, the same seed is the same surface, later, with
    all its rust. One instance is one patch. A placement says where spots break out, such as along a scratch. Rust
    hides what lies below it: name it before the defects that are to show through.
    """

    class_name: ClassVar[str] = "rust"
    family: ClassVar[Family] = "defect"
    kind: Literal["rust"]
    probability: Probability = 1.0
    severity: Severity = Constant(1.0)
    hours: Hours = Field(
        title="Age", description="Time since it began, in hours; the same seed at more hours has grown on"
    )
    spots_per_cm2: Annotated[Distribution, Within(0, 1000)] = Field(
        description="Spots that will ever break out, in a square centimetre"
    )
    decay_hours: Annotated[Distribution, Within(0.01, 100_000)] = Field(
        Constant(12.0), description="Time over which new ones become rare"
    )
    front_speed_mm_per_day: Annotated[Distribution, Within(0.001, 1000)] = Field(
        description="How fast a patch of rust grows outwards"
    )
    front_width_mm: Fine = Field(Constant(0.2), description="From the first film of rust to full cover")
    patchiness: Annotated[Distribution, Within(0, 2)] = Field(
        Constant(0.5), description="How unevenly the patches grow"
    )
    patch_size_mm: Fine = Field(Constant(3.0), description="Size of the patches that grow at speeds of their own")
    thickness_um: Annotated[Distribution, Within(0.1, 1000)] = Field(
        Constant(15.0), description="Thickness of rust one day old; it grows with time"
    )
    flaking_um: Annotated[Distribution, Within(0.1, 10_000)] = Field(
        Constant(40.0), description="Thickness at which the rust comes off in flakes"
    )
    flake_size_mm: Fine = Field(Constant(0.4), description="Size of a flake")
    ragged: Annotated[Distribution, Within(0, 3)] = Field(Constant(0.6), description="Unevenness of the outline")
    ragged_size_mm: Fine = Field(Constant(0.5), description="Size of the unevenness of the outline")
    mottle: Fraction = Field(Constant(0.5), description="Contrast of lighter and darker oxide")
    metal: tuple[Fraction, Fraction, Fraction] = Field(
        (Constant(0.52), Constant(0.52), Constant(0.51)),
        title="Bare Metal",
        description="Colour of the bare metal, which shows through films",
    )

    def sample(self, surface: Chart, stream: RandomStream) -> list[RustLayer]:
        """The rust of one frame, if it has any."""
        if stream.chance("probability") >= self.probability:
            return []
        sources = population_places(surface, stream)
        if sources == ():
            return []
        quantities = stream.quantities(self, omit=("severity",))
        time = HOUR * quantities.pop("hours") * share_at(self.severity, stream, least=LEAST_EXPOSURE)
        spread = {name: quantities.pop(name) for name in ("spots", "decay", "front_width", "patchiness", "patch_size")}
        speed = quantities.pop("front_speed_mm_per_day") * MM / (24 * HOUR)
        return [
            RustLayer(
                parameters=RustParameters(front_speed=speed, **spread),
                time=time,
                **quantities,
                metal=stream.colour("metal", self.metal),
                sources=sources,
                seed=stream.layer_seed(),
            )
        ]


class RustLayer(SceneModel):
    """Rust, to be grown for `time` seconds from `sources`, metres on the chart, or from anywhere."""

    kind: Literal["rust"] = "rust"
    parameters: RustParameters
    time: NotNegative
    thickness: float
    flaking: float
    flake_size: float
    ragged: float
    ragged_size: float
    mottle: float
    metal: Colour
    sources: tuple[Place, ...] | None = None
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The field over the surface that the rust grows into."""
        return Rust(
            simulate_rust(self.parameters, surface.size, self.time, np.random.default_rng(self.seed), self.sources),
            surface.locate,
            self.thickness,
            self.flaking,
            self.flake_size,
            self.ragged,
            self.ragged_size,
            self.mottle,
            self.metal,
            self.seed,
        )


ENTRIES = (
    DefectEntry(
        kind="rust",
        recipe=RustRecipe,
        drawn=RustLayer,
        title="Rust",
        tooltip="Rust that breaks out in spots, spreads and thickens to flakes",
        noun="rust",
        fixed_in_space=True,
        countable=False,
        materials=frozenset({"cast", "metal", "painted"}),
    ),
)
