"""How wide and how deep a crack gapes along its graph."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from procgen.checks import require
from procgen.cracks.graph import CrackGraph, degrees, edge_lengths

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

E_FOLDING = 2.1462  # lag, in units of 1/kappa, at which the Matérn covariance of smoothness 3/2 has fallen to 1/e
STUB = 3.0  # length, in the same units, of what is added beyond a free end so that the noise does not feel it


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
    noise = _gaussian_on(vertices, edges, opening.width_correlation, rng)
    sigma_squared = np.log1p(opening.width_variation**2)
    widths = share * opening.width * np.exp(np.sqrt(sigma_squared) * noise - 0.5 * sigma_squared)
    for tip, taper in (tips or {}).items():
        if taper > 0.0:
            widths *= np.sqrt(np.minimum(_distances(vertices, edges, tip, taper) / taper, 1.0))
    return CrackGraph(vertices, edges, widths, widths * (opening.depth / opening.width))


def _gaussian_on(vertices: Floats, edges: Indices, correlation: float, rng: np.random.Generator) -> Floats:
    """Gaussian noise (V,) of mean 0 and variance 1 along the edges, with autocorrelation 1/e at a lag of `correlation`.

    A Whittle-Matérn field: it solves (kappa² - Δ) x = white noise on the graph (Bolin, Simas, Wallin, "Gaussian
    Whittle-Matérn fields on metric graphs", Bernoulli 30, 2024), so that it runs through junctions without a step.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import spsolve

    lengths = edge_lengths(vertices, edges)
    step = float(lengths.mean())
    lengths = np.maximum(lengths, 1e-3 * step)
    kappa = E_FOLDING / np.clip(correlation, 2.0 * step, max(2.0 * step, float(lengths.sum())))

    count, stub = len(vertices), int(np.ceil(STUB / (kappa * step)))
    ends = np.flatnonzero(degrees(count, edges) == 1)
    beyond = count + np.arange(len(ends) * stub).reshape(len(ends), stub)
    stubs = np.stack([np.column_stack([ends, beyond[:, :-1]]), beyond], axis=-1).reshape(-1, 2)
    edges, lengths = np.concatenate([edges, stubs]), np.concatenate([lengths, np.full(len(stubs), step)])
    total = count + beyond.size

    a, b = edges.T
    mass = 0.5 * (np.bincount(a, lengths, total) + np.bincount(b, lengths, total))
    mass[mass == 0.0] = step  # vertices on no edge
    stiffness = 1.0 / lengths
    diagonal = kappa**2 * mass + np.bincount(a, stiffness, total) + np.bincount(b, stiffness, total)
    everyone = np.arange(total)
    matrix = coo_array(
        (
            np.concatenate([diagonal, -stiffness, -stiffness]),
            (np.concatenate([everyone, a, b]), np.concatenate([everyone, b, a])),
        ),
        shape=(total, total),
    )
    field = spsolve(matrix.tocsc(), np.sqrt(mass) * rng.standard_normal(total), permc_spec="MMD_AT_PLUS_A")
    trace = 2.0 + (kappa * step) ** 2
    deviation = np.sqrt(step**3 * trace / (trace**2 - 4.0) ** 1.5)  # of this scheme on an endless line of such edges
    return np.asarray(field[:count] / deviation)


def _distances(vertices: Floats, edges: Indices, source: int, limit: float) -> Floats:
    """(V,) lengths of the ways along the edges to `source`; infinite beyond `limit`. Both in metres."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    lengths = np.maximum(edge_lengths(vertices, edges), np.finfo(np.float64).tiny)
    graph = coo_array((lengths, (edges[:, 0], edges[:, 1])), shape=(len(vertices), len(vertices)))
    return np.asarray(dijkstra(graph.tocsr(), directed=False, indices=source, limit=limit))
