"""Pitting: pits are born in time, grow by a power law, and merge."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.binning import boxes_around, boxes_per_edge, near_pairs
from procgen.surface.checks import require
from procgen.surface.layer import Family, LayerSample, SurfacePoints
from procgen.surface.noise import fractal

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

DAY = 86_400.0  # s; the age at which a pit has the depth that its parameters name
MOST_PITS = 200_000
MOST_NEIGHBOURS = 2e7  # pairs of pits that might touch: more, and the pits lie on one another many times over
OUTLINE_OCTAVES, FLOOR_OCTAVES = 4, 2
LIP = 0.15  # share of a pit's radius that its lip takes
FLOOR_RELIEF = 0.15  # unevenness of a pit's floor over that of its outline
FURTHEST_OUTLINE, NEAREST_OUTLINE = 1.8, 0.2  # of the radius, wherever the noise would put it
LENGTH_OF_AXIS_STEP = 1e-6  # m; over which the axes of a pit are carried from a chart to a part


@dataclass(frozen=True)
class PittingParameters:
    """Where and when pits are born, and how they grow.

    density: 1/m², of all pits that will ever be; they are born at the rate density/decay·exp(-t/decay), s.
    depth: m, median at the age of a day, lognormal with standard deviation depth_variation of its logarithm; it grows
    with age^growth_exponent, .33 to .5 in metals. aspect: mean radius over depth. elongation: long over short axis, 1
    or more. direction: rad, of the long axes in the chart, with the standard deviation direction_spread.
    clustering: share of the pits that are born beside an earlier pit, at a distance about `spread` (m).
    Raises BlemishError for values out of range.
    """

    density: float
    depth: float
    decay: float = 0.5 * DAY
    depth_variation: float = 0.5
    growth_exponent: float = 0.4
    aspect: float = 1.5
    elongation: float = 1.0
    direction: float = 0.0
    direction_spread: float = np.pi
    clustering: float = 0.0
    spread: float = 1e-3

    def __post_init__(self) -> None:
        positive = ("depth", "decay", "growth_exponent", "aspect", "elongation", "spread")
        free = ("density", "depth_variation", "direction_spread")
        require(
            "pitting",
            **{name: (getattr(self, name), "positive") for name in positive},
            **{name: (getattr(self, name), "not negative") for name in free},
            direction=(self.direction, "finite"),
            clustering=(self.clustering, "0 to 1"),
        )
        if self.elongation < 1.0:
            raise BlemishError(f"pitting: found elongation = {self.elongation:g}; expected 1 or more, long over short")


@dataclass(frozen=True)
class PitPopulation:
    """Pits without a resolution, oldest first.

    centres: (P, 2) in a chart or (P, 3) on a part, m. axes: (P, 2, 2) or (P, 2, 3) unit vectors along the long and the
    short axis. radii: (P, 2) m, long and short. depths: (P,) m. births: (P,) s. clusters: (P,) one id > 0 for all pits
    that have merged: 1 + the number of the oldest of them, which stays its id for as long as the cluster grows.
    """

    centres: Floats
    axes: Floats
    radii: Floats
    depths: Floats
    births: Floats
    clusters: Indices

    def embedded(self, embed: Callable[[Floats], Floats]) -> "PitPopulation":
        """The same pits on a part; `embed` maps (N, 2) chart positions to (N, 3) positions, both in metres."""
        centres = np.asarray(embed(self.centres), dtype=np.float64)
        tips = [embed(self.centres + LENGTH_OF_AXIS_STEP * self.axes[:, axis]) - centres for axis in range(2)]
        axes = np.stack(tips, axis=1).reshape(-1, 2, 3)
        length = np.linalg.norm(axes, axis=-1, keepdims=True)
        return replace(self, centres=centres, axes=axes / np.where(length > 0.0, length, 1.0))

    def __len__(self) -> int:
        return len(self.depths)


def simulate_pitting(
    parameters: PittingParameters, size: tuple[float, float], time: float, rng: np.random.Generator
) -> PitPopulation:
    """The pits in a chart of `size` (m) after `time` (s).

    Nucleation is a Poisson process in space and time with a rate that decays as active sites are used up; the depth of
    a pit follows a power law (Engelhardt and Macdonald, Corrosion 54, 1998). The same generator state gives the same
    pits at any time: later, they are more and deeper, never fewer. Raises BlemishError for more pits than MOST_PITS.
    """
    require("pitting", time=(time, "not negative"))
    expected = parameters.density * size[0] * size[1]
    if expected > MOST_PITS:
        raise BlemishError(
            f"pitting: found {parameters.density:g} pits per m² on {size[0]:g} x {size[1]:g} m, {expected:.0f} in all; "
            f"expected at most {MOST_PITS}: lower the density"
        )
    count = int(rng.poisson(expected))
    births = np.sort(rng.exponential(parameters.decay, count))
    centres = _places(parameters, size, count, rng)
    final_depths = parameters.depth * np.exp(parameters.depth_variation * rng.standard_normal(count))
    angles = parameters.direction + parameters.direction_spread * rng.standard_normal(count)

    born = int(np.searchsorted(births, time))  # of those born at this very moment, none has any depth yet
    depths = final_depths[:born] * ((time - births[:born]) / DAY) ** parameters.growth_exponent
    slim = np.sqrt(parameters.elongation)
    radii = parameters.aspect * depths[:, np.newaxis] * np.array([slim, 1.0 / slim])
    along = np.stack([np.cos(angles[:born]), np.sin(angles[:born])], axis=1)
    axes = np.stack([along, np.stack([-along[:, 1], along[:, 0]], axis=1)], axis=1)
    clusters = _clusters(centres[:born], axes, radii)
    return PitPopulation(centres[:born], axes, radii, depths, births[:born], clusters)


def _places(parameters: PittingParameters, size: tuple[float, float], count: int, rng: np.random.Generator) -> Floats:
    """Centres (count, 2): anywhere, or beside any one of those before, so that large clusters attract the most."""
    centres = rng.uniform(0.0, size, (count, 2))
    beside = np.flatnonzero(rng.random(count) < parameters.clustering)
    parents = np.floor(rng.random(count) * np.arange(count)).astype(np.int64)
    offsets = parameters.spread * rng.standard_normal((count, 2))
    for child in beside[beside > 0]:
        centres[child] = centres[parents[child]] + offsets[child]
    return centres


def _clusters(centres: Floats, axes: Floats, radii: Floats) -> Indices:
    """1 + the number of the oldest pit of every pit's cluster; pits merge that meet between their centres."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    count = len(centres)
    if count < 2:
        return np.arange(1, count + 1)
    reach = 2.0 * float(radii[:, 0].max())
    tree = cKDTree(centres)
    neighbours = 0.5 * (float(tree.count_neighbors(tree, reach)) - count)
    if neighbours > MOST_NEIGHBOURS:
        raise BlemishError(
            f"pitting: found {count} pits with radii up to {reach / 2:g} m that lie on one another, {neighbours:g} "
            f"pairs; expected at most {MOST_NEIGHBOURS:g}: lower the density, the depth or the time"
        )
    pairs = tree.query_pairs(reach, output_type="ndarray")
    one, other = pairs[:, 0], pairs[:, 1]
    apart = centres[other] - centres[one]
    distance = np.linalg.norm(apart, axis=1)
    away = apart / np.where(distance > 0.0, distance, 1.0)[:, np.newaxis]

    def towards(pit: Indices) -> Floats:
        """How far each pit reaches in the direction of the other."""
        along = np.einsum("nik,nk->ni", axes[pit], away) / np.maximum(radii[pit], np.finfo(np.float64).tiny)
        result: Floats = 1.0 / np.linalg.norm(along, axis=1)
        return result

    meet = (distance == 0.0) | (towards(one) + towards(other) >= distance)
    links = coo_array((np.ones(int(meet.sum()), dtype=np.int8), (one[meet], other[meet])), shape=(count, count))
    _, component = connected_components(links, directed=False)
    _, oldest, cluster = np.unique(component, return_index=True, return_inverse=True)
    result: Indices = oldest[cluster] + 1
    return result


@dataclass(frozen=True)
class Pitting:
    """A population on a part as a layer: dark cavities, each a semi-ellipsoid of uneven outline, with a raised lip.

    An instance is a cluster of merged pits, which is what one sees; see PitPopulation. ragged: standard deviation of
    the outline, as a share of the radius, over lengths of ragged_size (m) and finer. lip: its height over the depth of
    its pit. reflectance_change, roughness_change, metallic_change: at the bottom and nearly up to the edge.
    Raises BlemishError for values out of range and for pits that are not embedded in space.
    """

    pits: PitPopulation
    ragged: float = 0.15
    ragged_size: float = 2e-4
    lip: float = 0.05
    reflectance_change: float = -0.35
    roughness_change: float = 0.35
    metallic_change: float = -0.9
    seed: int = 0

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "pitting"

    def __post_init__(self) -> None:
        if self.pits.centres.shape[1:] != (3,):
            raise BlemishError(
                f"pitting: found centres of shape {self.pits.centres.shape}; expected (P, 3): embed them in a part"
            )
        changes = ("reflectance_change", "roughness_change", "metallic_change")
        require(
            "pitting",
            **{name: (getattr(self, name), "finite") for name in changes},
            **{name: (getattr(self, name), "not negative") for name in ("ragged", "lip", "seed")},
            ragged_size=(self.ragged_size, "positive"),
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is where the distance to a centre, in units of the radius that way, is below the uneven outline."""
        positions = SurfacePoints.of(points).positions
        sample = LayerSample.blank(len(positions))
        near, pairs = self._near(positions)
        if len(near) == 0:
            return sample
        positions = positions[near]
        outline = 1.0 + self.ragged * fractal(positions / self.ragged_size, OUTLINE_OCTAVES, self.seed)
        outline = np.clip(outline, NEAREST_OUTLINE, FURTHEST_OUTLINE)
        relief = 1.0 + FLOOR_RELIEF * fractal(positions / self.ragged_size, FLOOR_OCTAVES, self.seed + OUTLINE_OCTAVES)
        relief = np.clip(relief, 0.0, 2.0)

        mouth = 1.0 - LIP if self.lip > 0.0 else 1.0
        deepest = np.full(len(near), -1.0)  # of the cavities, 0 on a lip, -1 outside
        raised, shade, instance = np.zeros(len(near)), np.zeros(len(near)), np.zeros(len(near), dtype=np.int64)
        for point, pit in pairs:
            distance = self._distance(positions[point], pit) / outline[point]
            within = distance <= 1.0
            point, pit, distance = point[within], pit[within], distance[within]
            hollow = np.maximum(1.0 - (distance / mouth) ** 2, 0.0)
            depth = self.pits.depths[pit] * np.sqrt(hollow)
            lip = self.lip * self.pits.depths[pit] * np.sin(np.pi * np.clip((distance - mouth) / LIP, 0.0, 1.0))
            raised[point] = np.maximum(raised[point], lip)
            # Walls are steep and lips are tarnished: dark up to the edge.
            shade[point] = np.maximum(shade[point], np.sqrt(np.sqrt(1.0 - distance**2)))
            deeper = depth > deepest[point]
            deepest[point[deeper]] = depth[deeper]
            instance[point[deeper]] = self.pits.clusters[pit[deeper]]

        sample.inside[near] = deepest >= 0.0
        sample.instance[near] = instance
        sample.height[near] = np.where(deepest > 0.0, -deepest * relief, raised)
        sample.reflectance[near] = self.reflectance_change * np.minimum(shade * relief, 1.0)
        sample.roughness[near] = self.roughness_change * shade
        sample.metallic[near] = self.metallic_change * shade
        return sample

    def _near(self, positions: Floats) -> tuple[Indices, list[tuple[Indices, Indices]]]:
        """The points that some pit may reach, (n,), and pairs of their ranks among these and pits."""
        reach = FURTHEST_OUTLINE * self.pits.radii[:, 0]
        if len(positions) == 0 or not reach.any():
            return np.empty(0, dtype=np.int64), []
        columns = np.ascontiguousarray(positions.T)
        size = float(reach.mean()) / boxes_per_edge(columns, float(reach.mean()))
        boxes = boxes_around(columns, size)
        octave = np.floor(np.log2(np.maximum(reach, np.finfo(np.float32).tiny)))
        pairs = []  # by octaves of size: a few large pits would have the small ones looked for as far around
        for members in (np.flatnonzero(octave == one) for one in np.unique(octave)):
            nearby = near_pairs(boxes, self.pits.centres[members], reach[members])
            pairs += [(point, members[pit]) for point, pit in nearby]
        touched = np.zeros(len(positions), dtype=bool)
        for point, _ in pairs:
            touched[point] = True
        rank = np.cumsum(touched) - 1
        return np.flatnonzero(touched), [(rank[point], pit) for point, pit in pairs]

    def _distance(self, positions: Floats, pit: Indices) -> Floats:
        """From one pit each to (n, 3) positions, (n,), in units of the pit's radius in that direction."""
        away = positions - self.pits.centres[pit]
        along, across = (np.einsum("nk,nk->n", away, self.pits.axes[pit, axis]) for axis in range(2))
        square = np.einsum("nk,nk->n", away, away)
        long, short = np.maximum(self.pits.radii[pit], np.finfo(np.float32).tiny).T
        # Out of its plane the pit is as short as across: what lies behind a curved surface is none of its own.
        beyond = np.maximum(square - along**2 - across**2, 0.0)
        result: Floats = np.sqrt((along / long) ** 2 + (across**2 + beyond) / short**2)
        return result
