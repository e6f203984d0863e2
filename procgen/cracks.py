"""Cracks along the path of least fracture energy through a material of random toughness."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.binning import boxes_around, near_pairs
from procgen.checks import require
from procgen.errors import BlemishError
from procgen.layer import Family, LayerSample, SurfacePoints

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

BOXES_PER_CRACK = 64  # along its longer extent, to sort out the points that are nowhere near
STAIRCASE = 1.0  # grid cells over which vertices are averaged, which leaves no steps of the simulation grid


@dataclass(frozen=True)
class CrackParameters:
    """The material that cracks, and the crack that opens in it.

    toughness_sigma: standard deviation of the logarithm of the fracture energy per length, .3 to 1.5 in real materials.
    toughness_correlation: m, of that field. grid_spacing: m, of the simulation; the crack itself has no resolution.
    detour: how far the path may stray to either side, as a share of the distance between its ends.
    width: m, mean, lognormal with coefficient of variation width_variation over lengths of width_correlation (m).
    depth: m, where the width is the mean, in proportion to it elsewhere. start_taper, end_taper: shares of the length
    over which the crack closes towards that tip, 0 where it runs out of the part.
    Raises BlemishError for values out of range.
    """

    width: float
    depth: float
    toughness_sigma: float = 0.4
    toughness_correlation: float = 4e-4
    grid_spacing: float = 2e-4
    detour: float = 0.35
    width_variation: float = 0.45
    width_correlation: float = 1e-3
    start_taper: float = 0.15
    end_taper: float = 0.15

    def __post_init__(self) -> None:
        positive = ("width", "depth", "grid_spacing", "detour", "width_correlation")
        free = ("toughness_sigma", "toughness_correlation", "width_variation")
        require(
            "crack",
            **{name: (getattr(self, name), "positive") for name in positive},
            **{name: (getattr(self, name), "not negative") for name in free},
            start_taper=(self.start_taper, "0 to 1"),
            end_taper=(self.end_taper, "0 to 1"),
        )


@dataclass(frozen=True)
class CrackGraph:
    """A crack without a resolution: vertices (V, 2) in a chart or (V, 3) on a part, m; edges (E, 2) between them.

    widths, depths: (V,) m, which run linearly along each edge.
    """

    vertices: Floats
    edges: Indices
    widths: Floats
    depths: Floats

    def embedded(self, embed: Callable[[Floats], Floats]) -> "CrackGraph":
        """The same crack on a part; `embed` maps (V, 2) chart positions to (V, 3) positions, both in metres."""
        return replace(self, vertices=np.asarray(embed(self.vertices), dtype=np.float64))


def simulate_minimum_energy_path(
    parameters: CrackParameters, start: ArrayLike, end: ArrayLike, rng: np.random.Generator
) -> CrackGraph:
    """Minimise the fracture energy ∫ exp(σ ξ) ds between two points (2,) in m over a correlated Gaussian field ξ.

    The grid runs from start to end, so that a uniform material cracks along the straight line. Beyond the correlation
    length the path wanders as a directed polymer, with roughness exponent 2/3 (Halpin-Healy and Zhang, Physics Reports
    254, 1995). The two ends of the path lie exactly at start and end.
    Raises BlemishError where start and end are the same point.
    """
    from skimage.graph import MCP_Geometric

    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    length = float(np.linalg.norm(end - start))
    if not length > 0.0:
        raise BlemishError(f"crack: found start and end at the same point, {start.tolist()}; expected two points")
    steps = max(2, round(length / parameters.grid_spacing))
    spacing = length / steps
    sideways = max(1, round(parameters.detour * steps))
    correlation = parameters.toughness_correlation / spacing

    toughness = np.exp(parameters.toughness_sigma * _correlated((2 * sideways + 1, steps + 1), correlation, rng))
    search = MCP_Geometric(toughness)
    search.find_costs([(sideways, 0)], [(sideways, steps)])
    path = np.array(search.traceback((sideways, steps)), dtype=np.float64) - (sideways, 0)
    across, along = (_smoothed(coordinate) * spacing for coordinate in path.T)

    forward = (end - start) / length
    vertices = start + along[:, np.newaxis] * forward + across[:, np.newaxis] * np.array([-forward[1], forward[0]])
    vertices[0], vertices[-1] = start, end
    widths = _widths(parameters, vertices, rng)
    count = len(vertices)
    edges = np.stack([np.arange(count - 1), np.arange(1, count)], axis=1)
    return CrackGraph(vertices, edges, widths, widths * (parameters.depth / parameters.width))


@dataclass(frozen=True)
class Crack:
    """A crack graph on a part, (V, 3), as a layer: a V-shaped groove, darker towards its bottom.

    reflectance_change: of the base colour at the bottom, < 0. roughness_change: of its walls. instance: its id.
    Raises BlemishError for a graph that is not embedded in space.
    """

    graph: CrackGraph
    reflectance_change: float = -0.2
    roughness_change: float = 0.3
    instance: int = 1

    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "crack"

    def __post_init__(self) -> None:
        if self.graph.vertices.shape[1:] != (3,):
            raise BlemishError(
                f"crack: found vertices of shape {self.graph.vertices.shape}; expected (V, 3): embed it in a part"
            )
        require(
            "crack",
            reflectance_change=(self.reflectance_change, "finite"),
            roughness_change=(self.roughness_change, "finite"),
            instance=(self.instance, "positive"),
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """Inside is where the distance to an edge is at most half the width there."""
        positions = SurfacePoints.of(points).positions
        sample = LayerSample.blank(len(positions))
        inside, offset, depth = self._groove(positions)
        sample.inside[inside] = True
        sample.instance[inside] = self.instance
        sample.height[inside] = -depth * (1.0 - offset)
        # Little light reaches the bottom of a groove and less comes back; its edge is as bright as the surface.
        sample.reflectance[inside] = self.reflectance_change * (1.0 - offset**2)
        sample.roughness[inside] = self.roughness_change
        return sample

    def _groove(self, positions: Floats) -> tuple[Indices, Floats, Floats]:
        """The points in the groove, (n,); how far out each lies, 0 at the bottom and 1 at the edge; the depth there."""
        graph = self.graph
        tail, head = graph.vertices[graph.edges[:, 0]], graph.vertices[graph.edges[:, 1]]
        half_widths = 0.5 * graph.widths[graph.edges]
        reach = 0.5 * np.linalg.norm(head - tail, axis=1) + half_widths.max(axis=1)

        low, high = graph.vertices.min(axis=0) - reach.max(), graph.vertices.max(axis=0) + reach.max()
        near = np.arange(len(positions))
        for axis in range(3):
            coordinate = positions[near, axis]
            near = near[(coordinate >= low[axis]) & (coordinate <= high[axis])]
        offset = np.full(len(near), np.inf)
        depth = np.zeros(len(near))
        if len(near):
            boxes = boxes_around(np.ascontiguousarray(positions[near].T), float((high - low).max()) / BOXES_PER_CRACK)
            for point, edge in near_pairs(boxes, 0.5 * (tail + head), reach):
                span = head[edge] - tail[edge]
                away = positions[near[point]] - tail[edge]
                length_squared = np.maximum(np.einsum("nk,nk->n", span, span), np.finfo(np.float64).tiny)
                along = np.clip(np.einsum("nk,nk->n", away, span) / length_squared, 0.0, 1.0)
                distance = np.linalg.norm(away - along[:, np.newaxis] * span, axis=1)
                half_width = half_widths[edge, 0] + along * (half_widths[edge, 1] - half_widths[edge, 0])
                relative = np.divide(distance, half_width, out=np.full(len(edge), np.inf), where=half_width > 0.0)
                deeper = relative < offset[point]
                offset[point[deeper]] = relative[deeper]
                start, end = graph.depths[graph.edges[edge[deeper]]].T
                depth[point[deeper]] = start + along[deeper] * (end - start)
        inside = offset <= 1.0
        return near[inside], offset[inside], depth[inside]


def _correlated(shape: tuple[int, ...], correlation: float, rng: np.random.Generator) -> Floats:
    """Gaussian noise of mean 0 and variance 1 whose autocorrelation falls to 1/e at a lag of `correlation` cells."""
    from scipy.ndimage import gaussian_filter

    # Noise under a Gaussian kernel of width s has the autocorrelation exp(-lag²/4s²), which is 1/e at lag 2s.
    sigma = 0.5 * correlation
    padding = int(np.ceil(4.0 * sigma))
    field = gaussian_filter(rng.standard_normal([n + 2 * padding for n in shape]), sigma, mode="wrap", truncate=4.0)
    impulse = np.zeros(8 * padding + 1)
    impulse[4 * padding] = 1.0
    gain = float(np.sum(gaussian_filter(impulse, sigma, truncate=4.0) ** 2)) ** (0.5 * len(shape))
    return field[tuple(slice(padding, padding + n) for n in shape)] / gain


def _smoothed(coordinate: Floats) -> Floats:
    from scipy.ndimage import gaussian_filter1d

    ends = coordinate[[0, -1]]
    # Reflected in its end points, a path keeps its ends and its directions there.
    padding = len(coordinate) - 1
    extended = np.concatenate([2 * ends[0] - coordinate[:0:-1], coordinate, 2 * ends[1] - coordinate[-2::-1]])
    return gaussian_filter1d(extended, STAIRCASE)[padding:-padding]


def _widths(parameters: CrackParameters, vertices: Floats, rng: np.random.Generator) -> Floats:
    """Lognormal widths (V,) along a path, closing at its tips as the square root of the distance to them (K-field)."""
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(vertices, axis=0), axis=1))])
    mean_step = arc[-1] / (len(arc) - 1)
    noise = _correlated((len(arc),), parameters.width_correlation / mean_step, rng)
    sigma_squared = np.log1p(parameters.width_variation**2)
    widths = parameters.width * np.exp(np.sqrt(sigma_squared) * noise - 0.5 * sigma_squared)
    for distance, taper in ((arc, parameters.start_taper), (arc[-1] - arc, parameters.end_taper)):
        if taper > 0.0:
            widths *= np.sqrt(np.minimum(distance / (taper * arc[-1]), 1.0))
    return widths
