"""Scratches: what a hard tip drags through a surface, part pushed aside as ridges and part cut away as a chip."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal, perlin
from procgen.surface.paths import Path

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

UNEVEN_LOAD = 0.35  # standard deviation of the logarithm of the load that each point of a rough body bears
LIFT = 0.4  # standard deviations of the load's noise over which a tip that loses contact comes up
SLIP_SHARE = 0.15  # of a stick-slip period: the tip lets go much faster than it digs in
SLIP_JITTER = 0.35  # of a period: how irregularly the periods follow each other
BED_OCTAVES = 2
BED_STEEPNESS = 0.8  # of the bared share over the noise's standard deviation: bare and not bare, with little between
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
        result: Floats = groove + np.where(on_ridge, crest * (1.0 - np.where(on_ridge, across, 0.0) ** 2), 0.0)
        return result


@dataclass(frozen=True)
class Track:
    """The groove of one point of a rough body: `offset` (m) to the left of the path, `load` times as deep.

    start, end: shares of the path between which the point touches. Raises BlemishError for values out of range.
    """

    offset: float = 0.0
    load: float = 1.0
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        require(
            "scratch track",
            offset=(self.offset, "finite"),
            load=(self.load, "positive"),
            start=(self.start, "0 to 1"),
            end=(self.end, "0 to 1"),
        )
        if self.end <= self.start:
            raise BlemishError(
                f"scratch track: found start = {self.start:g}, end = {self.end:g}; expected to end later"
            )


def simulate_tracks(count: int, spread: float, stagger: float, rng: np.random.Generator) -> tuple[Track, ...]:
    """The tracks of `count` points of a rough body, strewn over `spread` (m) across its way.

    Their loads are lognormal about 1; they touch down, and lift off, up to `stagger` of the path after each other.
    A single point runs in the middle, all the way.
    """
    if count == 1:
        return (Track(),)
    offsets = spread * (rng.random(count) - 0.5)
    loads = np.exp(UNEVEN_LOAD * rng.standard_normal(count))
    starts, ends = stagger * rng.random(count), 1.0 - stagger * rng.random(count)
    return tuple(Track(*map(float, track)) for track in zip(offsets, loads, starts, ends, strict=True))


@dataclass(frozen=True, eq=False)
class Scratch:
    """A scratch along a path as a layer; its mask is the groove, without the ridges.

    tracks: of a body that touches in several points, whose grooves add up; each keeps the tip's shape, so that its
    width, too, follows its load. run_in, run_out: m, over which the tip goes down from nothing and comes up again.
    stick_slip: relative swing of the depth, as the tip digs in and slips free again every stick_slip_length (m).
    contact: share of the way, about, on which a tip that bounces touches; contact_length: m, from bounce to bounce.
    bed: 0 to 1, how far the groove's bed differs from place to place between bare and not bare at all, in streaks of
    bed_length along by bed_width across (m). reflectance_change, roughness_change: of the groove. seed: of its
    irregularities. instance: its id.
    Raises BlemishError for values out of range.
    """

    path: Path
    profile: ScratchProfile
    run_in: float = 0.0
    run_out: float = 0.0
    stick_slip: float = 0.0
    stick_slip_length: float = 1e-3
    contact: float = 1.0
    contact_length: float = 1e-2
    bed: float = 0.0
    bed_length: float = 2e-3
    bed_width: float = 1e-4
    reflectance_change: float = 0.0
    roughness_change: float = 0.0
    seed: int = 0
    instance: int = 1
    tracks: tuple[Track, ...] = (Track(),)

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "scratch"

    def __post_init__(self) -> None:
        require(
            "scratch",
            run_in=(self.run_in, "not negative"),
            run_out=(self.run_out, "not negative"),
            stick_slip=(self.stick_slip, "0 to 1"),
            stick_slip_length=(self.stick_slip_length, "positive"),
            contact=(self.contact, "0 to 1"),
            contact_length=(self.contact_length, "positive"),
            bed=(self.bed, "0 to 1"),
            bed_length=(self.bed_length, "positive"),
            bed_width=(self.bed_width, "positive"),
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

    def deepness(self, along: Floats, number: int = 0) -> Floats:
        """Depth of a track over the profile's depth at (n,) places along the path, m."""
        track = self.tracks[number]
        share = track.end - track.start
        start, end = track.start * self.path.length, track.end * self.path.length
        load = np.where((along >= start) & (along <= end), track.load, 0.0)
        for distance, run in ((along - start, share * self.run_in), (end - along, share * self.run_out)):
            if run > 0.0:
                load *= np.clip(distance / run, 0.0, 1.0)
        if self.contact < 1.0:
            load *= self._touching(along / self.contact_length, number)
        if self.stick_slip > 0.0:
            time = along / self.stick_slip_length
            phase = np.mod(time + SLIP_JITTER * self._noise(time, number), 1.0)
            digging = np.where(phase < 1.0 - SLIP_SHARE, phase / (1.0 - SLIP_SHARE), (1.0 - phase) / SLIP_SHARE)
            strength = np.clip(0.6 + self._noise(time / LEVEL_NOISE + 0.5, number), 0.0, 1.0)
            load *= 1.0 + self.stick_slip * strength * (digging - 0.5)
        return load

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """The profile at N points, by how far along the path and how far beside it they lie."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        deepest = 1.0 + 0.5 * self.stick_slip
        reaches = [abs(track.offset) + self.profile.reach * math.sqrt(deepest * track.load) for track in self.tracks]
        near, along, offset = self.path.beside(points, max(reaches))
        for number, (track, reach) in enumerate(zip(self.tracks, reaches, strict=True)):
            close = np.flatnonzero(np.abs(offset - track.offset) <= reach - abs(track.offset))
            deepness, bare = self.deepness(along[close], number), self.bareness(along[close], offset[close], number)
            self._enter(sample, near[close], offset[close] - track.offset, deepness, bare)
        return sample

    def bareness(self, along: Floats, offset: Floats, number: int = 0) -> Floats | float:
        """Share of a track's bed that is bare at (n,) places along the path and beside it, m."""
        if self.bed == 0.0:
            return 1.0
        lane = np.full_like(along, 0.37 + number)
        place = np.stack([0.5 * along / self.bed_length, 0.5 * offset / self.bed_width, lane], axis=1)
        bare = np.clip(0.5 + BED_STEEPNESS * fractal(place, BED_OCTAVES, self.seed + 1), 0.0, 1.0)
        result: Floats = 1.0 - self.bed * (1.0 - bare)
        return result

    def _enter(
        self, sample: LayerSample, near: Indices, offset: Floats, deepness: Floats, bareness: Floats | float
    ) -> None:
        """Add a track to the sample, at points (n,) that lie `offset` (m) beside it where it is so deep and so bare."""
        sample.height[near] += self.profile.height(offset, deepness)
        half = 0.5 * self.profile.width * np.sqrt(deepness)
        in_groove = (np.abs(offset) <= half) & (half > 0.0)
        groove, share = near[in_groove], 1.0 - (offset[in_groove] / half[in_groove]) ** 2
        # A light touch bares less of the groove's new surface than a deep one; what is bare gets no barer.
        bared = np.minimum(deepness[in_groove], 1.0) * np.sqrt(np.maximum(share, 0.0))
        bared *= bareness if isinstance(bareness, float) else bareness[in_groove]
        for quantity, change in (
            (sample.reflectance, self.reflectance_change),
            (sample.roughness, self.roughness_change),
        ):
            barer = np.maximum if change > 0.0 else np.minimum
            quantity[groove] = barer(quantity[groove], change * bared)
        sample.inside[groove] = True
        sample.instance[groove] = self.instance

    def _touching(self, bounces: Floats, number: int) -> Floats:
        """Share of the load, 0 to 1, at (n,) places counted in bounces."""
        from scipy.special import ndtri

        lane = np.full_like(bounces, 0.37)
        level = fractal(np.stack([bounces, lane, lane + number], axis=1), 2, self.seed)
        return np.asarray(np.clip((level - ndtri(1.0 - self.contact)) / LIFT, 0.0, 1.0))

    def _noise(self, time: Floats, number: int) -> Floats:
        lane = np.full_like(time, 0.37 + number)
        return perlin(np.stack([time, lane, np.full_like(time, 0.71)], axis=1), self.seed)
