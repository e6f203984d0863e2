"""Scratches: what a hard tip drags through a surface, part pushed aside as ridges and part cut away as a chip."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.checks import require
from procgen.errors import BlemishError
from procgen.layer import Family, LayerSample, SurfacePoints
from procgen.noise import perlin
from procgen.paths import Path

Floats = NDArray[np.float64]

SLIP_SHARE = 0.15  # of a stick-slip period: the tip lets go much faster than it digs in
SLIP_JITTER = 0.35  # of a period: how irregularly the periods follow each other
LEVEL_NOISE = 2.0  # periods over which the strength of stick-slip comes and goes


@dataclass(frozen=True)
class ScratchProfile:
    """The cross-section of a scratch: a parabola of `width` and `depth` (m) between two ridges.

    cutting: f_ab = (A_v − A₁ − A₂) / A_v, the share of the groove's area A_v = ⅔·width·depth that was cut away; the
    rest, (1 − f_ab)·A_v, stands in the ridges A₁ and A₂ (Zum Gahr, Microstructure and Wear of Materials, 1987):
    0 is pure ploughing, 1 pure cutting. left_share: A₁ / (A₁ + A₂), of the ridge to the left.
    ridge_width: of each ridge, also a parabola, over the groove's width.
    Raises BlemishError for values out of range.
    """

    width: float
    depth: float
    cutting: float = 0.4
    left_share: float = 0.5
    ridge_width: float = 0.4

    def __post_init__(self) -> None:
        require(
            "scratch",
            width=(self.width, "positive"),
            depth=(self.depth, "positive"),
            cutting=(self.cutting, "0 to 1"),
            left_share=(self.left_share, "0 to 1"),
            ridge_width=(self.ridge_width, "positive"),
        )

    @property
    def reach(self) -> float:
        """m from the middle to where the ridges end."""
        return self.width * (0.5 + self.ridge_width)

    def height(self, offset: ArrayLike, deepness: ArrayLike = 1.0) -> Floats:
        """Height (m) at `offset` (m, > 0 to the left) from the middle, where the groove is `deepness` times as deep.

        The tip keeps its shape: z = y²/2R − depth with R = width² / 8·depth, so that the width, and that of the ridges,
        goes with the root of the depth, and the balance holds at every deepness.
        """
        offset, deepness = np.broadcast_arrays(np.asarray(offset, dtype=np.float64), deepness)
        half = 0.5 * self.width * np.sqrt(deepness)
        y = np.divide(np.abs(offset), half, out=np.full(offset.shape, np.inf), where=half > 0.0)
        groove = self.depth * deepness * np.minimum(y * y - 1.0, 0.0, where=y <= 1.0, out=np.zeros(offset.shape))
        # A ridge of width m and height e has the area ⅔·e·m, to be share·(1 − f_ab)·⅔·width·depth.
        crest = np.where(offset >= 0.0, self.left_share, 1.0 - self.left_share)
        crest = crest * ((1.0 - self.cutting) * self.depth / self.ridge_width) * deepness
        across = np.divide(y - 1.0, self.ridge_width, out=np.full(offset.shape, 2.0), where=np.isfinite(y)) - 1.0
        on_ridge = np.abs(across) < 1.0
        return groove + np.where(on_ridge, crest * (1.0 - np.where(on_ridge, across, 0.0) ** 2), 0.0)


@dataclass(frozen=True, eq=False)
class Scratch:
    """A scratch along a path as a layer; its mask is the groove, without the ridges.

    run_in, run_out: m, over which the tip goes down from nothing and comes up again. stick_slip: relative swing of the
    depth, as the tip digs in and slips free again every stick_slip_length (m). reflectance_change, roughness_change: of
    the groove. seed: of its irregularities. instance: its id.
    Raises BlemishError for values out of range.
    """

    path: Path
    profile: ScratchProfile
    run_in: float = 0.0
    run_out: float = 0.0
    stick_slip: float = 0.0
    stick_slip_length: float = 1e-3
    reflectance_change: float = 0.0
    roughness_change: float = 0.0
    seed: int = 0
    instance: int = 1

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "scratch"

    def __post_init__(self) -> None:
        require(
            "scratch",
            run_in=(self.run_in, "not negative"),
            run_out=(self.run_out, "not negative"),
            stick_slip=(self.stick_slip, "0 to 1"),
            stick_slip_length=(self.stick_slip_length, "positive"),
            reflectance_change=(self.reflectance_change, "finite"),
            roughness_change=(self.roughness_change, "finite"),
            seed=(self.seed, "not negative"),
            instance=(self.instance, "positive"),
        )
        if self.run_in + self.run_out > self.path.length * (1.0 + 1e-9):
            raise BlemishError(
                f"scratch: found run_in + run_out = {self.run_in + self.run_out:g} m on a path of "
                f"{self.path.length:g} m; expected no more than the path"
            )

    def deepness(self, along: Floats) -> Floats:
        """Depth over the profile's depth at (n,) places along the path, m."""
        load = np.ones_like(along)
        for distance, run in ((along, self.run_in), (self.path.length - along, self.run_out)):
            if run > 0.0:
                load *= np.clip(distance / run, 0.0, 1.0)
        if self.stick_slip > 0.0:
            time = along / self.stick_slip_length
            phase = np.mod(time + SLIP_JITTER * self._noise(time), 1.0)
            digging = np.where(phase < 1.0 - SLIP_SHARE, phase / (1.0 - SLIP_SHARE), (1.0 - phase) / SLIP_SHARE)
            strength = np.clip(0.6 + self._noise(time / LEVEL_NOISE + 0.5), 0.0, 1.0)
            load *= 1.0 + self.stick_slip * strength * (digging - 0.5)
        return load

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """The profile at N points, by how far along the path and how far beside it they lie."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        deepest = 1.0 + 0.5 * self.stick_slip
        near, along, offset = self.path.beside(points, self.profile.reach * math.sqrt(deepest))
        deepness = self.deepness(along)
        sample.height[near] = self.profile.height(offset, deepness)
        half = 0.5 * self.profile.width * np.sqrt(deepness)
        in_groove = (np.abs(offset) <= half) & (half > 0.0)
        groove, share = near[in_groove], 1.0 - (offset[in_groove] / half[in_groove]) ** 2
        sample.inside[groove] = True
        sample.instance[groove] = self.instance
        # A light touch bares less of the groove's new surface than a deep one.
        bared = np.minimum(deepness[in_groove], 1.0) * np.sqrt(np.maximum(share, 0.0))
        sample.reflectance[groove] = self.reflectance_change * bared
        sample.roughness[groove] = self.roughness_change * bared
        return sample

    def _noise(self, time: Floats) -> Floats:
        return perlin(np.stack([time, np.full_like(time, 0.37), np.full_like(time, 0.71)], axis=1), self.seed)
