"""Gaussian noise over a grid and along a graph."""

import numpy as np
from numpy.typing import NDArray

from procgen.defects.cracks.graph import degrees, edge_lengths

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

LONGEST_CORRELATION = 0.5  # of noise over a grid, over its longest side
E_FOLDING = 2.1462  # lag, in units of 1/kappa, at which the Matérn covariance of smoothness 3/2 has fallen to 1/e
STUB = 3.0  # length, in the same units, of what is added beyond a free end so that the noise does not feel it


def on_grid(shape: tuple[int, ...], correlation: float, rng: np.random.Generator) -> Floats:
    """Gaussian noise of mean 0 and variance 1 whose autocorrelation falls to 1/e at a lag of `correlation` cells."""
    from scipy.ndimage import gaussian_filter

    # Noise under a Gaussian kernel of width s has the autocorrelation exp(-lag²/4s²), which is 1/e at lag 2s.
    # What varies over more than the grid makes no difference on it, and would need room without end round it.
    sigma = 0.5 * min(correlation, LONGEST_CORRELATION * max(shape))
    padding = int(np.ceil(4.0 * sigma))
    field = gaussian_filter(rng.standard_normal([n + 2 * padding for n in shape]), sigma, mode="wrap", truncate=4.0)
    impulse = np.zeros(8 * padding + 1)
    impulse[4 * padding] = 1.0
    gain = float(np.sum(gaussian_filter(impulse, sigma, truncate=4.0) ** 2)) ** (0.5 * len(shape))
    return np.asarray(field[tuple(slice(padding, padding + n) for n in shape)] / gain)


def along_graph(vertices: Floats, edges: Indices, correlation: float, rng: np.random.Generator) -> Floats:
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
