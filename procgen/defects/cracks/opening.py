"""How wide and how deep a crack gapes along its graph."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from procgen.defects.cracks.fluctuations import along_graph
from procgen.defects.cracks.graph import CrackGraph, edge_lengths
from procgen.surface.checks import require

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How a crack gapes.

    width: m, mean, lognormal with coefficient of variation width_variation over lengths of width_correlation (m).
    depth: m, where the width is the mean, in proportion to it elsewhere.
    Raises BlemishError for values out of range.
    """

    width: float
    depth: float
    width_variation: float = 0.45
    width_correlation: float = 1e-3

    def __post_init__(self) -> None:
        require(
            "crack",
            width=(self.width, "positive"),
            depth=(self.depth, "positive"),
            width_variation=(self.width_variation, "not negative"),
            width_correlation=(self.width_correlation, "positive"),
        )


def opened(
    opening: Opening,
    vertices: Floats,
    edges: Indices,
    rng: np.random.Generator,
    tips: Mapping[int, float] | None = None,
    share: Floats | float = 1.0,
) -> CrackGraph:
    """A graph of vertices (V, 2) or (V, 3), m, with widths and depths.

    tips: vertices towards which the crack closes, each with the length (m) over which it does so, as the square root of
    the distance along the crack, which is how the K-field opens one. share: (V,) of the full width, or one for all.
    """
    noise = along_graph(vertices, edges, opening.width_correlation, rng)
    sigma_squared = np.log1p(opening.width_variation**2)
    widths = share * opening.width * np.exp(np.sqrt(sigma_squared) * noise - 0.5 * sigma_squared)
    for tip, taper in (tips or {}).items():
        if taper > 0.0:
            widths *= np.sqrt(np.minimum(_distances(vertices, edges, tip, taper) / taper, 1.0))
    return CrackGraph(vertices, edges, widths, widths * (opening.depth / opening.width))


def _distances(vertices: Floats, edges: Indices, source: int, limit: float) -> Floats:
    """(V,) lengths of the ways along the edges to `source`; infinite beyond `limit`. Both in metres."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    lengths = np.maximum(edge_lengths(vertices, edges), np.finfo(np.float64).tiny)
    graph = coo_array((lengths, (edges[:, 0], edges[:, 1])), shape=(len(vertices), len(vertices)))
    return np.asarray(dijkstra(graph.tocsr(), directed=False, indices=source, limit=limit))
