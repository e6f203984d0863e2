"""Scratches of a hard tip dragged over the surface."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from procgen.layer import Family, Layer
from procgen.paths import Path, arc
from procgen.scratches import Scratch, ScratchProfile
from scenes.atlas import Chart
from scenes.concrete import Concrete, NotNegative, Positive
from scenes.distribution import Constant, Distribution, Within
from scenes.kinds.placing import Origin, place_line
from scenes.kinds.severity import share_at
from scenes.kinds.sites import PlacedSection
from scenes.lot import Lot
from scenes.sections import Count, Degrees, Fine, Fraction, Signed

FAINTEST = 0.1  # share of a scratch's depth at severity 0

Bend = Annotated[Distribution, Within(-180, 180)]
HalfShare = Annotated[Distribution, Within(0, 0.5)]


class ScratchRecipe(PlacedSection):
    """See `procgen.scratches`; severity is the depth that the tip cuts to, and the width goes with its root.

    run_in, run_out: shares of the length over which the tip goes down and comes up again.
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
    reflectance_change: Signed = Constant(0.0)
    roughness_change: Signed = Constant(0.0)

    def drawn(self, surface: Chart, lot: Lot) -> list[ScratchLayer]:
        """The scratches of one frame."""
        return [_scratch(self, surface, lot.at(number)) for number in range(lot.whole("count", self.count))]


class ScratchLayer(Concrete):
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
    reflectance_change: float
    roughness_change: float
    seed: int

    def grown(self, surface: Chart) -> Layer:
        """The scratch on the surface."""
        path = Path(surface.embed(arc(self.start, self.length, self.heading, self.bend)))
        longer = path.length / self.length  # where the chart is not unrolled without stretch
        return Scratch(
            path,
            self.profile,
            run_in=self.run_in * longer,
            run_out=self.run_out * longer,
            **self.model_dump(
                include={"stick_slip", "stick_slip_length", "reflectance_change", "roughness_change", "seed"}
            ),
        )


def _scratch(recipe: ScratchRecipe, surface: Chart, lot: Lot) -> ScratchLayer:
    quantities = lot.quantities(recipe, omit=("count", "severity"))
    share = share_at(recipe.severity, lot, least=FAINTEST)
    length = quantities.pop("length")
    start, heading = place_line(recipe.origin, surface, lot, length, quantities.pop("angle"))
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
        seed=lot.layer_seed(),
        **quantities,
    )
