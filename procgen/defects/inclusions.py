"""Inclusions and patches: foreign matter and scale that were rolled into a sheet, and drawn out with it."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.surface.anchor import Anchor
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal

Floats = NDArray[np.float64]

InclusionClass = Literal["inclusion", "patch"]
EDGE_OCTAVES, SPECKLE_OCTAVES = 4, 2
NOISE_LIMIT = 3.0  # standard deviations at which the edge's noise is held
COVERED = 0.5  # of its full cover: where the mask begins


@dataclass(frozen=True)
class Inclusion:
    """Dark matter rolled into a surface as a layer: an ellipse with a ragged edge, speckled within.

    anchor: its middle; `along`, the direction of its length (m); width: m, across. ragged: standard deviation by which
    the edge wanders, over the half width. ragged_size: m across, of what frays; it is drawn out along as the whole is.
    softness: m, over which cover rises from nothing to full at the edge. reflectance_change, roughness_change: where it
    covers in full, on average; speckle: standard deviation of its cover from speck to speck of speckle_size (m).
    opacity: share of the surface that it hides there, grain and relief and all, by matter of reflectance and roughness.
    The mask is where the edge's cover is at least half. seed: of its noise. instance: its id.
    Raises BlemishError for values out of range.
    """

    anchor: Anchor
    class_name: InclusionClass
    length: float
    width: float
    ragged: float = 0.3
    ragged_size: float = 1e-3
    softness: float = 5e-4
    reflectance_change: float = -0.1
    roughness_change: float = 0.0
    speckle: float = 0.2
    speckle_size: float = 2e-4
    opacity: float = 0.0
    reflectance: float = 0.03
    roughness: float = 0.5
    seed: int = 0
    instance: int = 1

    family: ClassVar[Family] = "defect"

    def __post_init__(self) -> None:
        positive = ("length", "width", "ragged_size", "speckle_size", "instance")
        require(
            self.class_name,
            **{name: (getattr(self, name), "positive") for name in positive},
            **{name: (getattr(self, name), "not negative") for name in ("ragged", "softness", "speckle", "seed")},
            **{name: (getattr(self, name), "finite") for name in ("reflectance_change", "roughness_change")},
            **{name: (getattr(self, name), "0 to 1") for name in ("opacity", "reflectance", "roughness")},
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """How far N points lie within the ragged edge, and how much covers them by that."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        half_length, half_width = 0.5 * self.length, 0.5 * self.width
        largest = 1.0 + NOISE_LIMIT * self.ragged
        near, place = self.anchor.unrolled(points, max(half_length, half_width) * largest + self.softness)
        drawn = place * np.array([half_width / half_length, 1.0])  # as it was before it was drawn out, if it was round
        edge = np.clip(self._noise(drawn / self.ragged_size, EDGE_OCTAVES, 0), -NOISE_LIMIT, NOISE_LIMIT)
        within = half_width * (1.0 + self.ragged * edge) - np.hypot(*drawn.T)
        if self.softness > 0.0:
            cover = np.clip(within / self.softness + COVERED, 0.0, 1.0)
        else:
            cover = (within >= 0.0).astype(np.float64)
        inside = near[cover >= COVERED]
        sample.inside[inside] = True
        sample.instance[inside] = self.instance
        speckled = cover * np.maximum(
            1.0 + self.speckle * self._noise(place / self.speckle_size, SPECKLE_OCTAVES, 1), 0
        )
        hidden = self.opacity * cover
        sample.opacity[near] = hidden
        sample.reflectance[near] = (self.reflectance_change + self.opacity * self.reflectance) * speckled
        sample.roughness[near] = self.roughness_change * cover + self.roughness * hidden
        return sample

    def _noise(self, place: Floats, octaves: int, stream: int) -> Floats:
        """Noise of unit variance at (n, 2) places in units of its correlation length, (n,)."""
        lattice = np.column_stack([0.5 * place, np.full(len(place), 0.37)])
        return fractal(lattice, octaves, 2 * EDGE_OCTAVES * self.seed + EDGE_OCTAVES * stream)
