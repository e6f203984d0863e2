"""What noise, finishes and layers cost at 1024² texels.

python benchmarks/procgen.py [--quick] [--json FILE]

First the noise and a stain population, against a Python loop over the points that calls the package *noise*. Then the
shipped example of every kind, grown and evaluated on the texels of a square plate: on a quarter of them and on all, to
see that the cost is linear. The last row is a whole surface, a finish under six layers composed into maps. Memory is
the peak of what NumPy and Python allocate, in a run of its own.
"""

import argparse
import itertools
import math
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from noise import pnoise3
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report, seconds, write
from procgen.finish import GroundFinish
from procgen.impurities.stains import WaterStains
from procgen.surface import noise
from procgen.surface.layer import SurfacePoints, compose
from procgen.surface.placement import jittered_centres
from scenes.catalogue.registry import Group, SceneLayer
from scenes.geometry.atlas import Chart
from scenes.parts.plate import PlaneChart
from scenes.recipes.examples import catalogue, example
from scenes.scene import Scene

SIDE = 1024  # points along either side of the surface
PLATE = 0.04  # m, of the sides of the plate that carries each kind's example
SURFACE = ("crack", "pitting", "scratch", "dent", "water_stains", "fingerprint")  # six layers of one surface
MEBIBYTE = 2**20
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
    """Algorithm 1 of [Mao 2025] to the letter, point by point; the centres of a cell are drawn once and remembered."""
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


def plate(side: int) -> tuple[Chart, SurfacePoints]:
    """A square plate's chart and the texels on it, `side` along each of its sides."""
    chart = PlaneChart(PLATE, PLATE)
    return chart, chart.points(PLATE / side)


def drawn(group: Group, kind: str) -> Scene:
    """The example of a kind at its most severe."""
    return example(group, kind).scenes()[-1]


def layers_of(group: Group, kind: str) -> list[SceneLayer]:
    return [layer for layer, _ in drawn(group, kind).placed_layers()]


def work(group: Group, kind: str, side: int) -> Callable[[], object]:
    """Grow and evaluate the kind on side² texels."""
    chart, points = plate(side)
    if group == "finish":
        finish = drawn(group, kind).finish
        return lambda: finish.evaluate(points)
    layers = layers_of(group, kind)
    return lambda: [layer.to_layer(chart).evaluate(points) for layer in layers]


def composed(side: int) -> Callable[[], object]:
    """A whole surface: a ground finish under six layers, composed."""
    chart, points = plate(side)
    finish = drawn("finish", "ground").finish
    groups = catalogue()
    kinds: list[tuple[Group, str]] = [
        ("defects" if kind in groups["defects"] else "impurities", kind) for kind in SURFACE
    ]
    layers = [layers_of(group, kind)[0] for group, kind in kinds]
    classes = {layer.to_layer(chart).class_name: bit for bit, layer in enumerate(layers)}
    return lambda: compose(points, finish, [layer.to_layer(chart) for layer in layers], classes)


def measured(name: str, prepare: Callable[[int], Callable[[], object]], quick: bool) -> dict[str, Figure]:
    quarter, whole = prepare(SIDE // 2), prepare(SIDE)
    row: dict[str, Figure] = {"at 1024² texels": name, "s": seconds(whole, 1 if quick else 3)}
    if not quick:
        row["s at a quarter"] = seconds(quarter)
        row["ratio, 4 if linear"] = float(row["s"] or 0) / float(row["s at a quarter"] or 1)
        tracemalloc.start()
        whole()
        row["peak MiB"] = tracemalloc.get_traced_memory()[1] / MEBIBYTE
        tracemalloc.stop()
    return row


def beside_scalar_loops(quick: bool) -> list[dict[str, Figure]]:
    """Perlin noise, a stain population and a ground finish, with and without a compiler."""
    points = surface()
    some = np.random.default_rng(0).permutation(len(points))[:: QUICK_SHARE if quick else 1]
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
    for name, (job, scalar) in works.items():
        row: dict[str, Figure] = {"at 1024² points": name, "scalar s": scalar}
        for backend in ("numpy", "numba"):
            if backend == "numba" and available != "numba":
                continue
            noise.BACKEND = backend
            taken = seconds(job)
            row |= {f"{backend} s": taken, f"{backend} ratio": None if scalar is None else scalar / taken}
        rows.append(row)
    noise.BACKEND = available
    return rows


def every_kind(quick: bool) -> list[dict[str, Figure]]:
    """Each kind's example by itself, then a surface of many."""
    groups: tuple[Group, ...] = ("finish", "defects", "impurities")
    rows = []
    for group in groups:
        for kind in catalogue()[group]:
            if group != "finish" and drawn(group, kind).part.kind == "pcb":
                continue  # the six defects of copper lie on a board's own layout
            rows.append(measured(f"{kind} ({group})", lambda side, g=group, k=kind: work(g, k, side), quick))
    rows.append(measured("a finish and six layers, composed", composed, quick))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="part of the scalar loops, each kind once; under a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args()
    tables = {
        "a scalar loop over the package noise, NumPy, numba": beside_scalar_loops(options.quick),
        "every kind, simulated and evaluated": every_kind(options.quick),
    }
    for title, rows in tables.items():
        report(rows, title=title)
    if options.json:
        write(tables, options.json)


if __name__ == "__main__":
    main()
