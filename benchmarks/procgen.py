"""What vectorised noise and layers cost, against a Python loop over the points that calls the package *noise*.

python benchmarks/procgen.py [--quick] [--json FILE]

What every other kind of finish, defect and impurity costs is in benchmarks/catalogue.py.
"""

import argparse
import itertools
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from noise import pnoise3
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report, seconds
from procgen import noise
from procgen.finish import GroundFinish
from procgen.placement import jittered_centres
from procgen.stains import WaterStains

SIDE = 1024  # points along either side of the surface
QUICK_SHARE = 32  # with --quick, the scalar loops take one in so many points and their time is scaled up
EXTENT = 0.1  # m

STAINS = WaterStains(0.02, 0.0065, 150.0, 0.0025, 8.0, -0.3, seed=4)
FINISH = GroundFinish(
    lay_direction=(0.0, 1.0, 0.0),
    correlation_along=3e-3,
    correlation_across=1.5e-4,
    height_rms=2.5e-7,
    base_colour=(0.12, 0.12, 0.12),
    roughness=0.45,
    streaks=0.05,
    grooves=0.25,
    grain=0.085,
    mottle=0.08,
    pit_density=1.5e4,
    pit_radius=1.5e-4,
)

Floats = NDArray[np.float64]


def surface() -> Floats:
    """(SIDE², 3) texel centres of a flat square, in metres."""
    along = (np.arange(SIDE) + 0.5) / SIDE * EXTENT
    v, u = np.meshgrid(along, along, indexing="ij")
    return np.stack([u, v, np.zeros_like(u)], axis=-1).reshape(-1, 3)


def scalar_perlin(points: Floats) -> Floats:
    """The loop that one writes first: one call for each point of the array."""
    values = np.empty(len(points))
    for n in range(len(points)):
        values[n] = pnoise3(points[n, 0], points[n, 1], points[n, 2])
    return values


def scalar_stains(points: Floats) -> Floats:
    """Algorithm 1 of seed 003 to the letter, point by point; the centres of a cell are drawn once and remembered."""
    centres: dict[tuple[int, ...], tuple[float, ...]] = {}
    change = np.zeros(len(points))
    for n, (x, y, z) in enumerate(points.tolist()):
        f, cell_size = STAINS.frequency, STAINS.cell_size
        assert cell_size is not None
        outline = STAINS.radius + pnoise3(x * f, y * f, z * f) * STAINS.amplitude
        i, j, k = math.floor(x / cell_size), math.floor(y / cell_size), math.floor(z / cell_size)
        nearest = math.inf
        for di, dj, dk in itertools.product((-1, 0, 1), repeat=3):
            cell = (i + di, j + dj, k + dk)
            if cell not in centres:
                centres[cell] = tuple(jittered_centres(np.array([cell]), cell_size, STAINS.seed)[0].tolist())
            cx, cy, cz = centres[cell]
            nearest = min(nearest, math.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2))
        if nearest <= outline:
            change[n] = (nearest / outline) ** STAINS.gamma * STAINS.alpha
    return change


def once(work: Callable[[Floats], Floats], points: Floats) -> tuple[float, Floats]:
    start = time.perf_counter()
    values = work(points)
    return time.perf_counter() - start, values


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help=f"scalar loops on one point in {QUICK_SHARE} only")
    arguments.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = arguments.parse_args()

    points = surface()
    some = np.random.default_rng(0).permutation(len(points))[:: QUICK_SHARE if options.quick else 1]
    scale = len(points) / len(some)
    lattice = points * (20.0 / EXTENT) + 0.37

    perlin_time, perlin_values = once(scalar_perlin, lattice[some])
    stain_time, stain_values = once(scalar_stains, points[some])
    difference = np.abs(noise.perlin(lattice[some]) - perlin_values).max()
    if difference > 3e-6:
        raise SystemExit(f"perlin differs from pnoise3 by {difference:.2g}; expected at most 3e-6")
    if np.abs(STAINS.evaluate(points[some]).reflectance - stain_values).max() > 1e-5:
        raise SystemExit("the stain population differs from Algorithm 1; run the tests of procgen")

    works: dict[str, tuple[Callable[[], object], float | None]] = {
        "Perlin noise": (lambda: noise.perlin(lattice), perlin_time * scale),
        "stain population": (lambda: STAINS.evaluate(points), stain_time * scale),
        "ground finish": (lambda: FINISH.evaluate(points), None),
    }
    available = noise.BACKEND
    rows: list[dict[str, Figure]] = []
    for name, (work, scalar) in works.items():
        row: dict[str, Figure] = {"at 1024² points": name, "scalar s": scalar}
        for backend in ("numpy", "numba"):
            if backend == "numba" and available != "numba":
                continue
            noise.BACKEND = backend
            taken = seconds(work)
            row |= {f"{backend} s": taken, f"{backend} ratio": None if scalar is None else scalar / taken}
        rows.append(row)
    noise.BACKEND = available
    report(rows, options.json, title="procgen: a scalar loop over the package noise, NumPy, numba")


if __name__ == "__main__":
    main()
