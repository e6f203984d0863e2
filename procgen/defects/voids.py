"""Voids: gas that was caught in cast or sintered material, opened when the surface was machined down to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.binning import boxes_around, boxes_per_edge, near_pairs
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

WAVES = np.arange(2, 7)  # around an opening: 1 would only move it
WAVE_DECAY = 1.2  # power with which shorter waves are lower
# Depth goes as (1 − q³)² with the distance q from the middle: a wide floor, steep walls, and a rim without a step, as
# machining breaks it. A step would tilt the normals of the texels just outside, too, which then glitter.
FLOOR, RIM = 3.0, 2.0


@dataclass(frozen=True)
class VoidParameters:
    """A population of voids about one place.

    count: how many. spread: m, standard deviation of their distances from the place along either direction.
    diameter: m, of the circle as large as the opening; lognormal with this median and the standard deviation
    diameter_variation of its logarithm. aspect: breadth over length of the opening. depth_ratio: depth over diameter.
    waviness: relative standard deviation of the outline about its ellipse.
    Raises BlemishError for values out of range.
    """

    diameter: float
    count: int = 1
    spread: float = 0.0
    diameter_variation: float = 0.0
    aspect: float = 0.7
    depth_ratio: float = 0.5
    waviness: float = 0.06

    def __post_init__(self) -> None:
        require(
            "voids",
            diameter=(self.diameter, "positive"),
            count=(self.count, "positive"),
            spread=(self.spread, "not negative"),
            diameter_variation=(self.diameter_variation, "not negative"),
            aspect=(self.aspect, "positive"),
            depth_ratio=(self.depth_ratio, "positive"),
            waviness=(self.waviness, "0 to 1"),
        )


@dataclass(frozen=True, eq=False)
class VoidPopulation:
    """Openings in a chart. places: (M, 2) m. angles: (M,) rad, of their length. radii, depths: (M,) m. aspects: (M,).

    waves: (M, 2, K) amplitudes of cos and sin of each of the K WAVES around the outline.
    """

    places: Floats
    angles: Floats
    radii: Floats
    aspects: Floats
    depths: Floats
    waves: Floats


def simulate_voids(parameters: VoidParameters, place: ArrayLike, rng: np.random.Generator) -> VoidPopulation:
    """Draw a population round a place (2,) of a chart, m."""
    count = parameters.count
    places = np.asarray(place, dtype=np.float64) + parameters.spread * rng.standard_normal((count, 2))
    radii = 0.5 * parameters.diameter * np.exp(parameters.diameter_variation * rng.standard_normal(count))
    angles = rng.uniform(0.0, np.pi, count)
    strength = WAVES**-WAVE_DECAY
    strength *= parameters.waviness / np.sqrt(np.sum(strength**2))
    return VoidPopulation(
        places=places,
        angles=angles,
        radii=radii,
        aspects=np.full(count, parameters.aspect),
        depths=2.0 * radii * parameters.depth_ratio,
        waves=strength * rng.standard_normal((count, 2, len(WAVES))),
    )


@dataclass(frozen=True, eq=False)
class Voids:
    """A population of voids in a part as a layer: the surface is gone there, and what shows is the wall of the cavity.

    centres, normals, along: (M, 3), the last two unit, along: the direction of the length. Of the wall, reflectance:
    0 to 1 linear, roughness and metallic; it looks darker the less of the sky it sees through the opening: from z below
    the middle of a round opening of radius r that is the share r² / (r² + z²), by its view factor.
    Where openings overlap, the deeper one shows. Raises BlemishError for values out of range.
    """

    population: VoidPopulation
    centres: Floats
    normals: Floats
    along: Floats
    reflectance: float = 0.1
    roughness: float = 0.9
    metallic: float = 0.0
    class_name: Literal["blowhole", "pore"] = "blowhole"
    first_instance: int = 1

    @property
    def family(self) -> Family:
        return "defect"

    def __post_init__(self) -> None:
        require(
            self.class_name,
            reflectance=(self.reflectance, "0 to 1"),
            roughness=(self.roughness, "0 to 1"),
            metallic=(self.metallic, "0 to 1"),
            first_instance=(self.first_instance, "positive"),
        )
        expected = (len(self.population.radii), 3)
        for name in ("centres", "normals", "along"):
            if getattr(self, name).shape != expected:
                raise BlemishError(
                    f"{self.class_name}: found {name} of shape {getattr(self, name).shape}; expected {expected}"
                )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is where the distance from the middle of an opening is at most that of its outline."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        if not len(points):
            return sample
        population = self.population
        widest = population.radii / np.sqrt(np.minimum(population.aspects, 1.0 / population.aspects))
        reach = widest * (1.0 + np.abs(population.waves).sum(axis=(1, 2)))
        columns = np.ascontiguousarray(points.positions.T)
        size = float(reach.max())
        boxes = boxes_around(columns, size / boxes_per_edge(columns, size))
        depth = np.full(len(points), -np.inf)
        for point, member in near_pairs(boxes, self.centres, reach):
            here, visible = self._cavity(points, point, member)
            deeper = (here >= 0.0) & (here > depth[point])
            chosen = point[deeper]
            depth[chosen] = here[deeper]
            sample.inside[chosen] = True
            sample.instance[chosen] = self.first_instance + member[deeper]
            sample.height[chosen] = -here[deeper]
            sample.reflectance[chosen] = self.reflectance * visible[deeper]
        sample.roughness[sample.inside] = self.roughness
        sample.metallic[sample.inside] = self.metallic
        sample.opacity[sample.inside] = 1.0
        return sample

    def _cavity(self, points: SurfacePoints, point: Indices, member: Indices) -> tuple[Floats, Floats]:
        """Of (n,) pairs of a point and a void: how deep the wall lies, < 0 outside, and its share of the sky."""
        population = self.population
        away = points.positions[point] - self.centres[member]
        along, normal = self.along[member], self.normals[member]
        x, y = _dot(away, along), _dot(away, np.cross(normal, along))
        longer = 1.0 / np.sqrt(population.aspects[member])
        x, y = x / longer, y * longer
        angle = WAVES * np.arctan2(y, x)[:, np.newaxis]
        cosine, sine = (population.waves[member, part] for part in (0, 1))
        outline = 1.0 + np.sum(cosine * np.cos(angle) + sine * np.sin(angle), axis=1)
        radius = population.radii[member]
        distance = np.hypot(x, y) / radius
        facing = _dot(points.normals[point], normal) > 0.0
        inside = facing & (distance < outline)
        share = np.divide(distance, outline, out=np.ones_like(distance), where=inside)
        depth = np.where(inside, population.depths[member] * (1.0 - share**FLOOR) ** RIM, -1.0)
        return depth, radius**2 / (radius**2 + depth**2)


def embedded_voids(
    population: VoidPopulation,
    embed: Callable[[Floats], Floats],
    normals: Callable[[Floats], Floats],
    tangents: Callable[[Floats], Floats],
) -> tuple[Floats, Floats, Floats]:
    """Centres, normals and length directions (M, 3) on a part, by what maps (M, 2) chart points (m) to (M, 3)."""
    normal, tangent = normals(population.places), tangents(population.places)
    cosine, sine = np.cos(population.angles)[:, np.newaxis], np.sin(population.angles)[:, np.newaxis]
    return embed(population.places), np.asarray(normal), cosine * tangent + sine * np.cross(normal, tangent)


def _dot(one: Floats, other: Floats) -> Floats:
    result: Floats = np.einsum("nk,nk->n", one, other)
    return result
