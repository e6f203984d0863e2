"""Bumps: sheet that was pressed out from behind, as a thin plate bends (Kirchhoff)."""

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

POINT = 1e-6  # a contact smaller than that share of the radius is a point: its square would be lost beside 1
VISIBLE_SHARE = 0.05  # of a bump's height: where it stands lower than that, nobody would say that it begins


def clamped_deflection(r: ArrayLike, load: float, radius: float, contact_radius: float, stiffness: float) -> Floats:
    """Deflection (m) at distances r ≥ 0 (m) from the middle of a plate that is clamped all round, 0 beyond `radius`.

    D∇⁴w = p, where p is `load` (N) spread evenly over the circle of contact_radius ≤ radius (both m), or acts in one
    point where that is 0; stiffness: D in N·m. The closed form superposes ring loads (Timoshenko and Woinowsky-Krieger,
    Theory of Plates and Shells, 1959, §19): outside of the contact only the mean square of their radii is left.
    Raises BlemishError for values out of range.
    """
    require(
        "bump",
        load=(load, "finite"),
        radius=(radius, "positive"),
        contact_radius=(contact_radius, "not negative"),
        stiffness=(stiffness, "positive"),
    )
    if contact_radius > radius:
        raise BlemishError(
            f"bump: found contact_radius = {contact_radius:g} m; expected at most the radius, {radius:g} m"
        )
    # In units of the radius, and of P·radius²/8πD for w.
    x = np.minimum(np.abs(np.asarray(r, dtype=np.float64)) / radius, 1.0)
    c = contact_radius / radius if contact_radius > POINT * radius else 0.0
    mean_square = 0.5 * c**2
    out = np.maximum(x, c) if c > 0.0 else np.maximum(x, np.finfo(np.float64).tiny)
    outside = 0.5 * (1.0 - out**2) * (1.0 + mean_square) + (out**2 + mean_square) * np.log(out)
    w = outside
    if c > 0.0:
        # Under the contact w = B + Ax² + x⁴/8c², with value and slope of the solution outside at x = c.
        slope = -c * (1.0 + mean_square) + 2.0 * c * math.log(c) + (c**2 + mean_square) / c
        a = 0.5 * (slope / c - 0.5)
        edge = 0.5 * (1.0 - c**2) * (1.0 + mean_square) + (c**2 + mean_square) * math.log(c)
        b = edge - a * c**2 - c**2 / 8.0
        w = np.where(x < c, b + a * x**2 + x**4 / (8.0 * c**2), outside)
    result: Floats = load * radius**2 / (8.0 * math.pi * stiffness) * w
    return result


@dataclass(frozen=True)
class Bump:
    """A bump as a layer: sheet held all round `radius` and pushed out by `height` over the circle of contact_radius, m.

    The deflection is linear in the load, so its height says all about load and stiffness together. The mask is where it
    stands at least VISIBLE_SHARE of its height. reflectance_change, roughness_change: of the stretched skin, with the
    height. instance: its id. Raises BlemishError for values out of range.
    """

    anchor: Anchor
    radius: float
    height: float
    contact_radius: float = 0.0
    reflectance_change: float = 0.0
    roughness_change: float = 0.0
    instance: int = 1

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "bump"

    def __post_init__(self) -> None:
        require(
            "bump",
            height=(self.height, "positive"),
            reflectance_change=(self.reflectance_change, "finite"),
            roughness_change=(self.roughness_change, "finite"),
            instance=(self.instance, "positive"),
        )
        clamped_deflection(0.0, 1.0, self.radius, self.contact_radius, 1.0)  # checks the rest

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """The deflection at N points, by their distances from the middle."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        near, place = self.anchor.unrolled(points, self.radius)
        highest = clamped_deflection(0.0, 1.0, self.radius, self.contact_radius, 1.0)
        share = (
            clamped_deflection(np.hypot(place[:, 0], place[:, 1]), 1.0, self.radius, self.contact_radius, 1.0) / highest
        )
        sample.height[near] = self.height * share
        sample.reflectance[near] = self.reflectance_change * share
        sample.roughness[near] = self.roughness_change * share
        inside = near[share >= VISIBLE_SHARE]
        sample.inside[inside] = True
        sample.instance[inside] = self.instance
        return sample
