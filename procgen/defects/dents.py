"""Dents: what a hard ball leaves behind that was pressed into a ductile surface."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.anchor import Anchor
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints

Floats = NDArray[np.float64]

RING_ENDS = 1e-3  # share of its crest's height below which the pile-up is not followed further


@dataclass(frozen=True)
class DentShape:
    """The cap of a ball of radius R (m) pressed h (m) deep, and the ring of material that piled up around it.

    At the level of the surface the cap has the radius a = √(2Rh − h²). The ball also holds back the pile-up: the cap
    goes on up to the ring's crest at the contact radius, and outside of it the ring falls as
    (r / contact radius)^−decay. Its height makes its volume that of the hollow: plastic flow keeps volume.
    Raises BlemishError for values out of range, a decay up to 2, whose ring would hold no finite volume, and a ball so
    deep that no ring balances it.
    """

    ball_radius: float
    depth: float
    decay: float = 4.0

    def __post_init__(self) -> None:
        require(
            "dent",
            ball_radius=(self.ball_radius, "positive"),
            depth=(self.depth, "positive"),
            decay=(self.decay, "positive"),
        )
        if self.decay <= 2.0:
            raise BlemishError(f"dent: found decay = {self.decay:g}; expected more than 2, for a ring of finite volume")
        if not self._discriminant > 0.0 or self.depth >= self.ball_radius:
            raise BlemishError(
                f"dent: found a depth of {self.depth:g} m for a ball of radius {self.ball_radius:g} m and a ring of "
                f"decay {self.decay:g}; expected a shallower dent, at most about a quarter of the radius"
            )

    @classmethod
    def of_size(cls, radius: float, depth: float, decay: float = 4.0) -> "DentShape":
        """The dent of radius a and depth h, both m, at the level of the surface: R = (a² + h²) / 2h."""
        require("dent", radius=(radius, "positive"), depth=(depth, "positive"))
        return cls((radius**2 + depth**2) / (2.0 * depth), depth, decay)

    @property
    def radius(self) -> float:
        """a, m: of the hollow at the level of the surface."""
        return math.sqrt(self.depth * (2.0 * self.ball_radius - self.depth))

    @property
    def crest(self) -> float:
        """Height A of the ring in metres.

        With h' = h + A, the volume between the cap and level A is πh'²(3R − h')/3, that of the ring with everything
        under level A inside of it is πc²A·k, where k = p/(p − 2) and c² = 2Rh' − h'². They are equal where
        A(2R − h')k = h'(3R − h')/3, a quadratic in A, of which this is the smaller root.
        """
        a, b, c = self._quadratic
        return 2.0 * c / (b + math.sqrt(self._discriminant)) if a else c / b

    @property
    def contact_radius(self) -> float:
        """c, m: of the ring's crest, as far as the ball touched."""
        reached = self.depth + self.crest
        return math.sqrt(reached * (2.0 * self.ball_radius - reached))

    @property
    def reach(self) -> float:
        """m, as far as the ring is followed."""
        result: float = self.contact_radius * RING_ENDS ** (-1.0 / self.decay)
        return result

    def profile(self, r: ArrayLike) -> Floats:
        """Height (m) at distance r ≥ 0 (m) from the middle."""
        r = np.asarray(r, dtype=np.float64)
        contact = self.contact_radius
        low = np.minimum(r, contact)
        # R − √(R² − r²) without the loss of digits where r is much smaller than R.
        cap = low**2 / (self.ball_radius + np.sqrt(self.ball_radius**2 - low**2)) - self.depth
        return np.where(r <= contact, cap, self.crest * (np.maximum(r, contact) / contact) ** -self.decay)

    @property
    def _quadratic(self) -> tuple[float, float, float]:
        """a, b, c of aA² − bA + c = 0."""
        k = self.decay / (self.decay - 2.0)
        third = 1.0 / 3.0
        return (
            k - third,
            k * (2.0 * self.ball_radius - self.depth) - third * (3.0 * self.ball_radius - 2.0 * self.depth),
            third * self.depth * (3.0 * self.ball_radius - self.depth),
        )

    @property
    def _discriminant(self) -> float:
        a, b, c = self._quadratic
        return b * b - 4.0 * a * c


@dataclass(frozen=True)
class Dent:
    """A dent as a layer; its mask reaches up to the crest of its ring.

    elongation: length over breadth, 1 for a ball that came straight, along the anchor's `along`; the area stays. The
    marks of machining are pressed flat in the contact: reflectance_change, roughness_change, in proportion to the
    pressure there, √(1 − (r / contact radius)²) of that in the middle (Hertz). instance: its id.
    Raises BlemishError for values out of range.
    """

    anchor: Anchor
    shape: DentShape
    elongation: float = 1.0
    reflectance_change: float = 0.0
    roughness_change: float = 0.0
    instance: int = 1

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "dent"

    def __post_init__(self) -> None:
        require(
            "dent",
            elongation=(self.elongation, "positive"),
            reflectance_change=(self.reflectance_change, "finite"),
            roughness_change=(self.roughness_change, "finite"),
            instance=(self.instance, "positive"),
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """The shape's profile at N points, at their distances from the middle."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        longer = math.sqrt(self.elongation)
        near, place = self.anchor.unrolled(points, self.shape.reach * max(longer, 1.0 / longer))
        r = np.hypot(place[:, 0] / longer, place[:, 1] * longer)
        followed = r <= self.shape.reach
        sample.height[near[followed]] = self.shape.profile(r[followed])
        touched = r <= self.shape.contact_radius
        pressure = np.sqrt(np.maximum(1.0 - (r[touched] / self.shape.contact_radius) ** 2, 0.0))
        contact = near[touched]
        sample.inside[contact] = True
        sample.instance[contact] = self.instance
        sample.reflectance[contact] = self.reflectance_change * pressure
        sample.roughness[contact] = self.roughness_change * pressure
        return sample
