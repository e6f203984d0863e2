"""Gradient noise: Perlin's improved noise at any number of points, and fractal sums of it.

Seed 0 is the function that `noise.pnoise3` of the C package *noise* computes; other seeds shuffle its permutation.
The one formula is written twice, for NumPy and for numba, with the same operations in the same order: both give the
same bits, so that an installed compiler changes how long a dataset takes and nothing else.
"""

import importlib.util
import os
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.tiles import over_tiles

Floats = NDArray[np.float64]
Hashes = NDArray[np.intp]

# The supremum of |perlin| over points and seeds: with every edge direction of the cube in the gradient table, it is the
# sum over corners of the fade weight times the two largest offsets, at its greatest within the cell: 1.0363538...
PERLIN_BOUND = 1.03636
PERLIN_RMS = 0.271  # over uniformly random points

BACKEND = "numpy" if os.environ.get("BLEMISH_NO_NUMBA") or not importlib.util.find_spec("numba") else "numba"

OFFSETS = 1  # the stream of random numbers, of a seed, that shifts octaves against each other

# [Perlin 2002]; the package *noise*, which the tests compare with, holds the same table.
REFERENCE_PERMUTATION = np.frombuffer(
    bytes.fromhex(
        "97a0895b5a0f830dc95f6035c2e907e18c24671e458e086325f0150a17be0694f778ea4b001ac53e5efcdbcb75230b2039b12158ed953857"
        "ae147d88aba844af4aa547868b301ba64d929ee7536fe57a3cd385e6dc695c29372ef528f4668f3641193fa101d85049d14c84bbd05912a9"
        "c8c4878274bc9f56a4646dc6adba034034d9e2fa7c7b05ca2693767eff5255d4cfce3be32f103a11b6bd1c2adfb7aad577f898022c9aa346"
        "dd99659ba72bac09811627fd13626c6e4f71e0e8b2b97068daf661e4fb22f2c1eed2900cbfb3a2f1513391ebf90eef6b31c0d61fb5c76a9d"
        "b854ccb07379322d7f0496fe8aeccd5dde72431d1848f38d80c34e42d73d9cb4"
    ),
    dtype=np.uint8,
)
# The twelve edge directions of the cube, and the four of them that fill the table up to 16 in the package *noise*.
GRADIENTS = np.array(
    [
        *[(1, 1, 0), (-1, 1, 0), (1, -1, 0), (-1, -1, 0), (1, 0, 1), (-1, 0, 1), (1, 0, -1), (-1, 0, -1)],
        *[(0, 1, 1), (0, -1, 1), (0, 1, -1), (0, -1, -1), (1, 0, -1), (-1, 0, -1), (0, -1, 1), (0, 1, 1)],
    ],
    dtype=np.float64,
)


def perlin(points: ArrayLike, seed: int = 0) -> Floats:
    """Improved Perlin noise, 0 at every point of the integer lattice and periodic over 256.

    points: (N, 3), no unit (multiply metres by a frequency). Returns (N,) float64 within ±PERLIN_BOUND.
    Seed 0 agrees with `noise.pnoise3`, which computes in single precision, to 3e-6 near the origin.
    Raises BlemishError unless points are (N, 3).
    """
    return _summed(points, _Octaves(np.eye(3)[np.newaxis], np.zeros((1, 3)), np.ones(1), *_tables(seed, 1)))


def fractal(
    points: ArrayLike,
    octaves: int,
    seed: int = 0,
    gain: float = 0.5,
    lacunarity: float = 2.0,
    lattice: ArrayLike = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
) -> Floats:
    """Sum of Perlin octaves, each `lacunarity` times finer and `gain` times lower than the one before.

    points: (N, 3), in units of the coarsest octave, or in any unit that `lattice` (3, 3) turns into these by lattice @
    point. Returns (N,) float64 with mean 0 and variance 1 over space.
    Every octave has its own permutation and offset, so that their zeros on the lattice do not coincide.
    Raises BlemishError unless points are (N, 3).
    """
    offsets = np.random.default_rng([seed, OFFSETS]).uniform(0.0, 256.0, (octaves, 3))
    finer = lacunarity ** np.arange(octaves)
    weights = gain ** np.arange(octaves)
    weights /= PERLIN_RMS * np.sqrt(np.sum(weights**2))
    lattices = finer[:, np.newaxis, np.newaxis] * np.asarray(lattice, dtype=np.float64)
    return _summed(points, _Octaves(lattices, offsets, weights, *_tables(seed, octaves)))


class _Octaves(NamedTuple):
    """K Perlin noises to sum: lattices (K, 3, 3) and offsets (K, 3) that take points to their cells, weights (K,),
    and their tables, permutations (K, 513) and gradients (K, 3, 513)."""

    lattices: Floats
    offsets: Floats
    weights: Floats
    permutations: Hashes
    gradients: Floats


def _summed(points: ArrayLike, octaves: _Octaves) -> Floats:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise BlemishError(f"Perlin noise: found points of shape {points.shape}; expected (N, 3)")
    values = np.empty(len(points))
    fill = (_compiled() if BACKEND == "numba" else None) or _sum_tile
    over_tiles(len(points), lambda tile: fill(points[tile], *octaves, values[tile]))
    return values


@lru_cache(maxsize=64)  # every frame of a dataset brings new seeds
def _tables(seed: int, octaves: int) -> tuple[Hashes, Floats]:
    """The permutations of seeds that follow each other, (octaves, 513), repeated so that a hash plus an index needs no
    wrapping, and the (octaves, 3, 513) gradients there."""
    shuffles = [
        np.random.default_rng(one).permutation(256) if one else np.arange(256) for one in range(seed, seed + octaves)
    ]
    permutations = REFERENCE_PERMUTATION[np.stack(shuffles)]
    hashes = np.concatenate([permutations, permutations, permutations[:, :1]], axis=1).astype(np.intp)
    return hashes, np.ascontiguousarray(GRADIENTS[hashes & 15].transpose(0, 2, 1))


def _sum_tile(
    points: Floats,
    lattices: Floats,
    offsets: Floats,
    weights: Floats,
    permutations: Hashes,
    gradients: Floats,
    values: Floats,
) -> None:
    """Write the sum of the octaves at (n, 3) points to `values`."""
    x, y, z = np.ascontiguousarray(points.T)
    values[:] = 0.0
    for octave, lattice in enumerate(lattices):
        # Not by matrix product: BLAS rounds a row differently when other rows are asked for with it.
        place = np.stack([x * row[0] + y * row[1] + z * row[2] for row in lattice]) + offsets[octave][:, np.newaxis]
        values += weights[octave] * _perlin_tile(place, permutations[octave], gradients[octave])


def _perlin_tile(offset: Floats, permutation: Hashes, gradients: Floats) -> Floats:
    """The noise (n,) at points given as (3, n) columns, which are overwritten.

    Corner by corner: larger arrays would not stay in the cache.
    """
    floor = np.floor(offset)
    offset -= floor
    i, j, k = floor.astype(np.intp) & 255
    u, v, w = offset * offset * offset * (offset * (offset * 6.0 - 15.0) + 10.0)
    x, y, z = zip(offset, offset - 1.0, strict=True)

    # Slices of the tables stand for steps to the far corners; clipping, never needed, spares a check of every index.
    rows = [permutation[a:].take(i, mode="clip") + j for a in (0, 1)]
    cells = [[permutation[b:].take(row, mode="clip") + k for b in (0, 1)] for row in rows]

    def corner(a: int, b: int, c: int) -> Floats:
        dot = gradients[0, c:].take(cells[a][b], mode="clip")
        dot *= x[a]
        for gradient, component in ((gradients[1, c:], y[b]), (gradients[2, c:], z[c])):
            part = gradient.take(cells[a][b], mode="clip")
            part *= component
            dot += part
        result: Floats = dot
        return result

    def edge(b: int, c: int) -> Floats:
        return _interpolated(corner(0, b, c), corner(1, b, c), u)

    def face(c: int) -> Floats:
        return _interpolated(edge(0, c), edge(1, c), v)

    return _interpolated(face(0), face(1), w)


def _interpolated(start: Floats, end: Floats, weight: Floats) -> Floats:
    """start + weight * (end - start), in the memory of `end`."""
    end -= start
    end *= weight
    end += start
    return end


def _sum_loop(
    points: Floats,
    lattices: Floats,
    offsets: Floats,
    weights: Floats,
    permutations: Hashes,
    gradients: Floats,
    values: Floats,
) -> None:
    """The same as `_sum_tile`, point by point, for numba; octave by octave, so that their tables stay in the cache."""
    values[:] = 0.0
    for o in range(len(weights)):
        lattice, offset, permutation, gradient = lattices[o], offsets[o], permutations[o], gradients[o]
        for n in range(len(points)):
            px = points[n, 0] * lattice[0, 0] + points[n, 1] * lattice[0, 1] + points[n, 2] * lattice[0, 2] + offset[0]
            py = points[n, 0] * lattice[1, 0] + points[n, 1] * lattice[1, 1] + points[n, 2] * lattice[1, 2] + offset[1]
            pz = points[n, 0] * lattice[2, 0] + points[n, 1] * lattice[2, 1] + points[n, 2] * lattice[2, 2] + offset[2]
            fx, fy, fz = np.floor(px), np.floor(py), np.floor(pz)
            x, y, z = px - fx, py - fy, pz - fz
            i, j, k = int(fx) & 255, int(fy) & 255, int(fz) & 255
            u = x * x * x * (x * (x * 6.0 - 15.0) + 10.0)
            v = y * y * y * (y * (y * 6.0 - 15.0) + 10.0)
            w = z * z * z * (z * (z * 6.0 - 15.0) + 10.0)
            edge0 = edge1 = 0.0
            for c in range(2):
                face0 = face1 = 0.0
                for b in range(2):
                    h0 = permutation[permutation[i] + j + b] + k + c
                    h1 = permutation[permutation[i + 1] + j + b] + k + c
                    corner0 = gradient[0, h0] * x + gradient[1, h0] * (y - b) + gradient[2, h0] * (z - c)
                    corner1 = gradient[0, h1] * (x - 1.0) + gradient[1, h1] * (y - b) + gradient[2, h1] * (z - c)
                    face0, face1 = face1, corner0 + u * (corner1 - corner0)
                edge0, edge1 = edge1, face0 + v * (face1 - face0)
            values[n] += weights[o] * (edge0 + w * (edge1 - edge0))


@cache
def _compiled() -> Callable[..., None] | None:
    """The compiled loop, or None where numba cannot be loaded; compiled on the first call, then kept on disk."""
    try:
        from numba import njit
    except ImportError:
        return None
    compiled: Callable[..., None]
    try:
        compiled = njit(cache=True, nogil=True, error_model="numpy")(_sum_loop)
    except RuntimeError:  # numba finds no folder that it may keep the machine code in
        compiled = njit(nogil=True, error_model="numpy")(_sum_loop)
    return compiled
