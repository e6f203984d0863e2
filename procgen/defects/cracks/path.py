"""Cracks along the path of least fracture energy through a material of random toughness."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.defects.cracks.fluctuations import on_grid
from procgen.defects.cracks.graph import CrackGraph, chain, edge_lengths
from procgen.defects.cracks.opening import Opening, opened
from procgen.errors import BlemishError
from procgen.surface.checks import require

Floats = NDArray[np.float64]

STAIRCASE = 1.0  # grid cells over which vertices are averaged, which leaves no steps of the simulation grid


@dataclass(frozen=True, kw_only=True)
class CrackParameters(Opening):
    """The material that cracks, and the crack that opens in it; see Opening for its width and depth.

    toughness_sigma: standard deviation of the logarithm of the fracture energy per length, .3 to 1.5 in real materials.
    toughness_correlation: m, of that field. grid_spacing: m, of the simulation; the crack itself has no resolution.
    detour: how far the path may stray to either side, as a share of the distance between its ends.
    start_taper, end_taper: shares of the length over which the crack closes towards that tip, 0 where it runs out of
    the part.
    Raises BlemishError for values out of range.
    """

    toughness_sigma: float = 0.4
    toughness_correlation: float = 4e-4
    grid_spacing: float = 2e-4
    detour: float = 0.35
    start_taper: float = 0.15
    end_taper: float = 0.15

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            "crack",
            grid_spacing=(self.grid_spacing, "positive"),
            detour=(self.detour, "positive"),
            toughness_sigma=(self.toughness_sigma, "not negative"),
            toughness_correlation=(self.toughness_correlation, "not negative"),
            start_taper=(self.start_taper, "0 to 1"),
            end_taper=(self.end_taper, "0 to 1"),
        )


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

    toughness = np.exp(parameters.toughness_sigma * on_grid((2 * sideways + 1, steps + 1), correlation, rng))
    search = MCP_Geometric(toughness)
    search.find_costs([(sideways, 0)], [(sideways, steps)])
    path = np.array(search.traceback((sideways, steps)), dtype=np.float64) - (sideways, 0)
    across, along = (_smoothed(coordinate) * spacing for coordinate in path.T)

    forward = (end - start) / length
    vertices = start + along[:, np.newaxis] * forward + across[:, np.newaxis] * np.array([-forward[1], forward[0]])
    vertices[0], vertices[-1] = start, end
    edges = chain(len(vertices))
    arc = float(edge_lengths(vertices, edges).sum())
    tips = {0: parameters.start_taper * arc, len(vertices) - 1: parameters.end_taper * arc}
    return opened(parameters, vertices, edges, rng, tips)


def _smoothed(coordinate: Floats) -> Floats:
    from scipy.ndimage import gaussian_filter1d

    ends = coordinate[[0, -1]]
    # Reflected in its end points, a path keeps its ends and its directions there.
    padding = len(coordinate) - 1
    extended = np.concatenate([2 * ends[0] - coordinate[:0:-1], coordinate, 2 * ends[1] - coordinate[-2::-1]])
    return np.asarray(gaussian_filter1d(extended, STAIRCASE)[padding:-padding])
