"""Chipped edges: brittle material broken off at a border, in shell-like (conchoidal) hollows."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.surface.anchor import Anchor
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal

Floats = NDArray[np.float64]

OUTLINE_OCTAVES = 3
OUTLINE_FREQUENCY = 1.1  # of the outline's noise, over the circle's radius: a few large bays around it
GRAIN_OCTAVES = 3
RIPPLE_SHARPNESS = 0.35  # of the ripples, which are gentle towards the impact and steep away from it
HALF_REACH = 0.8  # where along its reach a hollow is half as deep: steep at its rim and flat towards the border


@dataclass(frozen=True)
class ChipParameters:
    """What broke off.

    length: m, along the border. reach: m, from the border inwards. depth: m, at the border. hollows: how many shells;
    each blow breaks one, and they meet in sharp ridges. irregularity: relative standard deviation of their outlines.
    ripples: how many waves (Wallner lines) run over a hollow, concentric about the blow; ripple: their swing over the
    depth. grain: m, standard deviation of the height of the fracture's grains, of correlation length grain_size (m).
    Raises BlemishError for values out of range.
    """

    length: float
    reach: float
    depth: float
    hollows: int = 2
    irregularity: float = 0.1
    ripples: float = 5.0
    ripple: float = 0.05
    grain: float = 5e-6
    grain_size: float = 1.5e-4

    def __post_init__(self) -> None:
        require(
            "chipped edge",
            **{name: (getattr(self, name), "positive") for name in ("length", "reach", "depth", "hollows")},
            **{name: (getattr(self, name), "not negative") for name in ("irregularity", "ripples", "ripple", "grain")},
            grain_size=(self.grain_size, "positive"),
        )


@dataclass(frozen=True, eq=False)
class Hollows:
    """Shells broken off a border: (H,) each. places: m along the border. half_lengths, reaches, depths: m.

    skews: how far a shell leans along the border while it reaches inwards. seeds: of its outline.
    """

    places: Floats
    half_lengths: Floats
    reaches: Floats
    depths: Floats
    skews: Floats
    seeds: NDArray[np.int64]


def simulate_chip(parameters: ChipParameters, rng: np.random.Generator) -> Hollows:
    """The largest shell in the middle, of the whole reach; smaller ones to its sides, within the length."""
    count = parameters.hollows
    size = np.concatenate([[1.0], rng.uniform(0.3, 0.8, count - 1)])
    half_lengths = 0.5 * parameters.length * np.where(np.arange(count) == 0, 1.0 if count == 1 else 0.75, 0.75 * size)
    room = 0.5 * parameters.length - half_lengths
    side = np.where(np.arange(count) % 2 == 0, 1.0, -1.0) * rng.choice([-1.0, 1.0])
    places = room * side * rng.uniform(0.6, 1.0, count)
    return Hollows(
        places=places,
        half_lengths=half_lengths,
        reaches=parameters.reach * size,
        depths=parameters.depth * size,
        skews=rng.uniform(-0.4, 0.4, count),
        seeds=rng.integers(2**31, size=count),
    )


@dataclass(frozen=True, eq=False)
class ChippedEdge:
    """A chip at a border as a layer: where a hollow is, the surface is gone, and what shows is the fracture.

    anchor: on the border, its y axis pointing into the part. reflectance (0 to 1, linear), roughness, metallic: of the
    fracture. grain_contrast: standard deviation of the logarithm of the reflectance from grain to grain. The fracture
    is darker by the share of the sky that the hollow's own rim hides. instance: its id.
    Raises BlemishError for values out of range.
    """

    anchor: Anchor
    parameters: ChipParameters
    hollows: Hollows
    reflectance: float = 0.1
    roughness: float = 0.55
    metallic: float = 0.0
    grain_contrast: float = 0.15
    instance: int = 1

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "chipped_edge"

    def __post_init__(self) -> None:
        require(
            "chipped edge",
            reflectance=(self.reflectance, "0 to 1"),
            roughness=(self.roughness, "0 to 1"),
            metallic=(self.metallic, "0 to 1"),
            grain_contrast=(self.grain_contrast, "not negative"),
            instance=(self.instance, "positive"),
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is where any of the hollows is; the deepest one shows."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        near, place = self.anchor.unrolled(points, self._reach)
        depth, sky = np.full(len(near), -np.inf), np.ones(len(near))
        for number in range(len(self.hollows.places)):
            here, visible = self._hollow(place, number)
            deeper = here > depth
            depth[deeper], sky[deeper] = here[deeper], visible[deeper]
        inside = depth >= 0.0
        chosen, place = near[inside], place[inside]
        grains = self._noise(place / self.parameters.grain_size, GRAIN_OCTAVES, int(self.hollows.seeds[0]) + 1)
        sample.inside[chosen] = True
        sample.instance[chosen] = self.instance
        # Grains stand out only as far as the hollow is deep: at its outline the fracture meets the surface.
        sample.height[chosen] = np.minimum(self.parameters.grain * grains, depth[inside]) - depth[inside]
        brightness = np.exp(self.grain_contrast * grains)
        sample.reflectance[chosen] = np.minimum(self.reflectance * brightness * sky[inside], 1.0)
        sample.roughness[chosen] = self.roughness
        sample.metallic[chosen] = self.metallic
        sample.opacity[chosen] = 1.0
        return sample

    @property
    def _reach(self) -> float:
        hollows = self.hollows
        leaning = hollows.half_lengths * (1.0 + np.abs(hollows.skews))
        largest = _most(self.parameters.irregularity)
        return float(np.hypot(np.abs(hollows.places) + leaning * largest, hollows.reaches * largest).max())

    def _hollow(self, place: Floats, number: int) -> tuple[Floats, Floats]:
        """How deep a hollow is at (n, 2) places, (n,) m, −∞ outside, and the share of the sky seen from there, (n,).

        At distance s from a long wall of height z that share is ½(1 + s / √(s² + z²)), by its view factor.
        """
        hollows, parameters = self.hollows, self.parameters
        depth, sky = np.full(len(place), -np.inf), np.ones(len(place))
        largest = _most(parameters.irregularity)
        y = place[:, 1] / hollows.reaches[number]
        x = (place[:, 0] - hollows.places[number]) / hollows.half_lengths[number] - hollows.skews[number] * y
        r = np.hypot(x, y)
        near = np.flatnonzero(r <= largest)
        direction = np.stack([x[near], y[near]], axis=1) / np.maximum(r[near], 1e-12)[:, np.newaxis]
        bays = self._noise(direction * OUTLINE_FREQUENCY, OUTLINE_OCTAVES, int(hollows.seeds[number]))
        q = r[near] / np.minimum(np.exp(parameters.irregularity * bays), largest)
        inside = q <= 1.0
        near, q = near[inside], q[inside]
        shell = (1.0 - q**2) / (1.0 + (1.0 / HALF_REACH**2 - 2.0) * q**2)  # ½ at HALF_REACH
        phase = 2.0 * np.pi * parameters.ripples * q
        wave = np.sin(phase + RIPPLE_SHARPNESS * np.sin(phase))
        ripple = parameters.ripple * wave * q * (1.0 - q**2)  # none at the blow, none at the rim
        depth[near] = hollows.depths[number] * np.maximum(shell + ripple, 0.0)
        wall = (1.0 - q) * np.minimum(hollows.reaches[number], hollows.half_lengths[number])
        slant = np.hypot(wall, depth[near])
        sky[near] = 0.5 + 0.5 * np.divide(wall, slant, out=np.ones_like(wall), where=slant > 0.0)
        return depth, sky

    @staticmethod
    def _noise(place: Floats, octaves: int, seed: int) -> Floats:
        return fractal(np.column_stack([place, np.full(len(place), 0.5)]), octaves, seed)


def _most(irregularity: float) -> float:
    """How much larger than its ellipse an outline may be: the noise is held to three standard deviations."""
    return float(np.exp(3.0 * irregularity))
