"""Gradient noise: Perlin's improved noise at any number of points, and fractal sums of it.

Seed 0 is the function that `noise.pnoise3` of the C package *noise* computes; other seeds shuffle its permutation.
The one formula is written twice, for NumPy and for numba, with the same operations in the same order: both give the
same bits, so that an installed compiler changes how long a dataset takes and nothing else.
"""

import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError

Floats = NDArray[np.float64]
Hashes = NDArray[np.intp]

# The supremum of |perlin| over points and seeds: with every edge direction of the cube in the gradient table, it is the
# sum over corners of the fade weight times the two largest offsets, at its greatest within the cell: 1.0363538...
PERLIN_BOUND = 1.03636
PERLIN_RMS = 0.271  # over uniformly random points

BACKEND = "numpy" if os.environ.get("BLEMISH_NO_NUMBA") or not importlib.util.find_spec("numba") else "numba"

TILE = 16384  # points that NumPy takes at once, so that their temporaries stay in the second-level cache

OFFSETS = 1  # the stream of random numbers, of a seed, that shifts octaves against each other

# Ken Perlin, "Improving Noise", 2002.
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
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise BlemishError(f"Perlin noise: found points of shape {points.shape}; expected (N, 3)")
    permutation, gradients = _tables(seed)
    values = np.empty(len(points))
    fill = (_compiled() if BACKEND == "numba" else None) or _perlin_tile
    _over_tiles(len(points), lambda tile: fill(points[tile], permutation, gradients, values[tile]))
    return values


def fractal(points: ArrayLike, octaves: int, seed: int = 0, gain: float = 0.5, lacunarity: float = 2.0) -> Floats:
    """Sum of Perlin octaves, each `lacunarity` times finer and `gain` times lower than the one before.

    points: (N, 3), in units of the coarsest octave. Returns (N,) float64 with mean 0 and variance 1 over space.
    Every octave has its own permutation and offset, so that their zeros on the lattice do not coincide.
    """
    points = np.asarray(points, dtype=np.float64)
    offsets = np.random.default_rng([seed, OFFSETS]).uniform(0.0, 256.0, (octaves, 3))
    total = np.zeros(len(points))

    def sum_octaves(tile: slice) -> None:
        for octave, offset in enumerate(offsets):
            total[tile] += gain**octave * perlin(points[tile] * lacunarity**octave + offset, seed + octave)

    _over_tiles(len(points), sum_octaves)
    return total / (PERLIN_RMS * np.sqrt(np.sum(gain ** (2.0 * np.arange(octaves)))))


def _over_tiles(count: int, work: Callable[[slice], None]) -> None:
    """Do `work` on slices that cover `count` points, a thread a core: NumPy and numba let go of the lock."""
    tiles = [slice(start, start + TILE) for start in range(0, count, TILE)]
    if len(tiles) <= 1:
        for tile in tiles:
            work(tile)
        return
    with ThreadPoolExecutor(min(len(tiles), os.cpu_count() or 1)) as threads:
        for _ in threads.map(work, tiles):
            pass


@lru_cache(maxsize=64)  # every frame of a dataset brings new seeds
def _tables(seed: int) -> tuple[Hashes, Floats]:
    """The permutation, repeated so that a hash plus an index needs no wrapping, and the (3, 513) gradients there."""
    shuffle = np.arange(256) if seed == 0 else np.random.default_rng(seed).permutation(256)
    permutation = REFERENCE_PERMUTATION[shuffle]
    hashes = np.concatenate([permutation, permutation, permutation[:1]]).astype(np.intp)
    return hashes, np.ascontiguousarray(GRADIENTS[hashes & 15].T)


def _perlin_tile(points: Floats, permutation: Hashes, gradients: Floats, values: Floats) -> None:
    """Write the noise at (n, 3) points to `values`, corner by corner: larger arrays would not stay in the cache."""
    offset = np.ascontiguousarray(points.T)
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
        return dot

    def edge(b: int, c: int) -> Floats:
        return _interpolated(corner(0, b, c), corner(1, b, c), u)

    def face(c: int) -> Floats:
        return _interpolated(edge(0, c), edge(1, c), v)

    values[:] = _interpolated(face(0), face(1), w)


def _interpolated(start: Floats, end: Floats, weight: Floats) -> Floats:
    """start + weight * (end - start), in the memory of `end`."""
    end -= start
    end *= weight
    end += start
    return end


def _perlin_loop(points: Floats, permutation: Hashes, gradients: Floats, values: Floats) -> None:
    """The same as `_perlin_tile`, point by point, for numba."""
    for n in range(len(points)):
        px, py, pz = points[n, 0], points[n, 1], points[n, 2]
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
                corner0 = gradients[0, h0] * x + gradients[1, h0] * (y - b) + gradients[2, h0] * (z - c)
                corner1 = gradients[0, h1] * (x - 1.0) + gradients[1, h1] * (y - b) + gradients[2, h1] * (z - c)
                face0, face1 = face1, corner0 + u * (corner1 - corner0)
            edge0, edge1 = edge1, face0 + v * (face1 - face0)
        values[n] = edge0 + w * (edge1 - edge0)


@cache
def _compiled() -> Callable[[Floats, Hashes, Floats, Floats], None] | None:
    """The compiled loop, or None where numba cannot be loaded; compiled on the first call, then kept on disk."""
    try:
        from numba import njit
    except ImportError:
        return None
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(_perlin_loop)
    except RuntimeError:  # numba finds no folder that it may keep the machine code in
        return njit(nogil=True, error_model="numpy")(_perlin_loop)
