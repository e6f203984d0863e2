"""Wear: places that rubbing, or a wheel that ran unevenly, finished otherwise than the rest of the surface."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.surface.anchor import Anchor
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal

Floats = NDArray[np.float64]

EDGE_OCTAVES = 2
MARK_OCTAVES = 3
WORN = 0.5  # of full wear: where the mask begins
NOISE_LIMIT = 3.0  # standard deviations at which the edge's noise is held


@dataclass(frozen=True)
class Wear:
    """A worn band as a layer: rounded, soft-edged, with marks of its own along the lay.

    anchor: its middle; `along`, the direction of its length (m); width: m, across. lay: radians, of the marks, from
    `along`. softness: m, over which wear rises from nothing to full at the edge. waviness: m, standard deviation by
    which the edge wanders over lengths of wavelength (m). fray: m, likewise from mark to mark: each ends elsewhere.
    mark_length, mark_width: m, correlation lengths of the marks. reflectance_change, roughness_change: at full wear, on
    average; streaks: standard deviation of the reflectance from mark to mark. depth: m, of what was removed.
    The mask is where wear is at least half of full, which is where a softened edge is seen. seed: of all its noise.
    instance: its id. Raises BlemishError for values out of range.
    """

    anchor: Anchor
    length: float
    width: float
    lay: float = 0.0
    softness: float = 1e-3
    waviness: float = 5e-4
    wavelength: float = 5e-3
    fray: float = 5e-4
    mark_length: float = 1e-2
    mark_width: float = 1e-4
    reflectance_change: float = 0.0
    roughness_change: float = 0.0
    streaks: float = 0.02
    depth: float = 0.0
    seed: int = 0
    instance: int = 1

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "wear"

    def __post_init__(self) -> None:
        positive = ("length", "width", "wavelength", "mark_length", "mark_width", "instance")
        free = ("softness", "waviness", "fray", "streaks", "depth", "seed")
        require(
            "wear",
            **{name: (getattr(self, name), "positive") for name in positive},
            **{name: (getattr(self, name), "not negative") for name in free},
            **{name: (getattr(self, name), "finite") for name in ("lay", "reflectance_change", "roughness_change")},
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """How far N points lie within the edge, and how worn they are by that."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        margin = NOISE_LIMIT * (self.waviness + self.fray) + self.softness
        near, place = self.anchor.unrolled(points, 0.5 * float(np.hypot(self.length, self.width)) + margin)
        close = self._within(place) > -margin
        near, place = near[close], place[close]

        marks = self._marks(place)
        wander = np.clip(self._noise(place / self.wavelength, EDGE_OCTAVES, 1), -NOISE_LIMIT, NOISE_LIMIT)
        within = self._within(place) + self.waviness * wander + self.fray * np.clip(marks, -NOISE_LIMIT, NOISE_LIMIT)
        if self.softness > 0.0:
            rise = np.clip(within / self.softness + 0.5, 0.0, 1.0)
            wear = rise * rise * (3.0 - 2.0 * rise)
        else:
            wear = (within >= 0.0).astype(np.float64)
        worn = near[wear >= WORN]
        sample.inside[worn] = True
        sample.instance[worn] = self.instance
        sample.height[near] = -self.depth * wear
        sample.reflectance[near] = wear * (self.reflectance_change + self.streaks * marks)
        sample.roughness[near] = wear * self.roughness_change
        return sample

    def _within(self, place: Floats) -> Floats:
        """How far (n, 2) places lie inside the edge of the band without any noise, (n,) m, < 0 outside."""
        half = 0.5 * np.array([self.length, self.width])
        corner = 0.5 * half.min()  # radius of the rounded corners
        beyond = np.abs(place) - (half - corner)
        outside = np.hypot(*np.maximum(beyond, 0.0).T)
        result: Floats = corner - outside - np.minimum(beyond.max(axis=1), 0.0)
        return result

    def _marks(self, place: Floats) -> Floats:
        cosine, sine = np.cos(self.lay), np.sin(self.lay)
        along, across = place[:, 0] * cosine + place[:, 1] * sine, place[:, 1] * cosine - place[:, 0] * sine
        return self._noise(np.stack([along / self.mark_length, across / self.mark_width], axis=1), MARK_OCTAVES, 0)

    def _noise(self, place: Floats, octaves: int, stream: int) -> Floats:
        """Noise of unit variance at (n, 2) places in units of its correlation length, (n,)."""
        # Half a cell decorrelates to 1/e, as in finishes; and not through the lattice's plane of zeros.
        lattice = np.column_stack([0.5 * place, np.full(len(place), 0.37)])
        return fractal(lattice, octaves, 2 * MARK_OCTAVES * self.seed + MARK_OCTAVES * stream)
