"""Dust: irregular grains that settled on the surface, each for itself."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.binning import boxes_around, near_pairs
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]

HARMONICS = np.arange(1, 6)  # of a grain's outline
LARGEST = 2.5  # standard deviations of the logarithm of the radius, at which grains are cut off
LARGEST_SWING = 0.6  # of a grain's outline round its radius
FLATNESS = 0.5  # height of a grain over its radius
TONES = 0.5  # standard deviation of the logarithm of the grains' reflectance
BOX = 2e-3  # m, of the boxes that sort out the points near no grain, at least


@dataclass(frozen=True, eq=False)
class Grains:
    """Grains on a part: centres (M, 3) m; radii (M,) m; tones (M,), times the colour of the dust.

    swing, phase: (M, K) of the harmonics of each outline, over its radius and in rad.
    """

    centres: Floats
    radii: Floats
    tones: Floats
    swing: Floats
    phase: Floats


def settled_grains(
    centres: ArrayLike, radius: float, radius_sigma: float, irregularity: float, rng: np.random.Generator
) -> Grains:
    """Give a grain to each of (M, 3) centres, in metres.

    radius: m, their median; lognormal, with standard deviation radius_sigma of its logarithm. irregularity: root mean
    square swing of the outlines, relative. Raises BlemishError for values out of range.
    """
    require(
        "dust",
        radius=(radius, "positive"),
        radius_sigma=(radius_sigma, "not negative"),
        irregularity=(irregularity, "0 to 1"),
    )
    centres = np.asarray(centres, dtype=np.float64).reshape(-1, 3)
    count = len(centres)
    radii = radius * np.exp(radius_sigma * np.clip(rng.standard_normal(count), -LARGEST, LARGEST))
    # Stretched more than dented, dented more than jagged.
    share = np.array([0.0, 1.0, 0.6, 0.4, 0.3])
    swing = (
        irregularity * np.sqrt(2.0) * share / np.linalg.norm(share) * np.abs(rng.standard_normal((count, len(share))))
    )
    swing *= np.minimum(1.0, LARGEST_SWING / np.maximum(swing.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny))
    phase = rng.uniform(0.0, 2.0 * np.pi, swing.shape)
    return Grains(centres, radii, np.exp(TONES * np.clip(rng.standard_normal(count), -2, 2)), swing, phase)


@dataclass(frozen=True, eq=False)
class Dust:
    """Grains as a layer; each is an instance, numbered from 1.

    colour: linear red, green, blue, of a grain of middling tone. opacity: share of the surface that a grain hides.
    A texel shows the grain at its centre: of grains smaller than texels some are met and some missed, as many as their
    area is worth.
    Raises BlemishError for values out of range.
    """

    grains: Grains
    colour: Colour = (0.3, 0.27, 0.23)
    opacity: float = 0.9

    family: ClassVar[Family] = "impurity"
    class_name: ClassVar[str] = "dust"

    def __post_init__(self) -> None:
        require(
            "dust",
            opacity=(self.opacity, "0 to 1"),
            **{f"colour[{i}]": (value, "0 to 1") for i, value in enumerate(self.colour)},
        )
        if not (self.grains.radii > 0.0).all():
            raise BlemishError("dust: found a grain whose radius is not positive; expected radii in metres")

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is on a grain; where grains overlap, on the one that stands higher."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points), coloured=True)
        if len(points) == 0:
            return sample
        grains = self.grains
        height = np.zeros(len(points))
        top = np.full(len(points), -1)
        reach = grains.radii * (1.0 + grains.swing.sum(axis=1))
        boxes = boxes_around(np.ascontiguousarray(points.positions.T), max(BOX, float(reach.max(initial=0.0))))
        for point, grain in near_pairs(boxes, grains.centres, reach):
            away = points.positions[point] - grains.centres[grain]
            close = np.flatnonzero(_dot(away, away) <= reach[grain] ** 2)
            point, grain, away = point[close], grain[close], away[close]
            tangent, normal = points.tangents[point], points.normals[point]
            x, y = _dot(away, tangent), _dot(away, np.cross(normal, tangent))
            angle = HARMONICS * np.arctan2(y, x)[:, np.newaxis] + grains.phase[grain]
            outline = grains.radii[grain] * (1.0 + np.sum(grains.swing[grain] * np.cos(angle), axis=1))
            dome = 1.0 - (x**2 + y**2) / np.maximum(outline, np.finfo(np.float64).tiny) ** 2
            here = FLATNESS * grains.radii[grain] * np.sqrt(np.maximum(dome, 0.0))
            higher = (dome >= 0.0) & ((top[point] < 0) | (here > height[point]))
            height[point[higher]], top[point[higher]] = here[higher], grain[higher]
        on = np.flatnonzero(top >= 0)
        sample.inside[on] = True
        sample.instance[on] = top[on] + 1
        sample.height[on] = height[on]
        sample.opacity[on] = self.opacity
        tone = np.clip(grains.tones[top[on], np.newaxis] * np.array(self.colour), 0.0, 1.0)
        sample.reflectance[on] = self.opacity * tone
        sample.roughness[on] = self.opacity
        return sample


def _dot(one: Floats, other: Floats) -> Floats:
    # Not by matrix product: BLAS rounds a row differently when other rows are asked for with it.
    result: Floats = np.einsum("nk,nk->n", one, other)
    return result
