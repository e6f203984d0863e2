"""What vectorised noise and layers cost, against a Python loop over the points that calls the package *noise*.

python benchmarks/procgen.py [--quick] [--json FILE]
"""

import argparse
import itertools
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from noise import pnoise3
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report, seconds
from procgen import noise
from procgen.anchor import Anchor
from procgen.bumps import Bump
from procgen.chipping import ChipParameters, ChippedEdge, simulate_chip
from procgen.cracks import (
    Crack,
    CrackGraph,
    CrackParameters,
    CrazingParameters,
    PhaseFieldParameters,
    WalkParameters,
    simulate_crazing,
    simulate_fracture_walk,
    simulate_minimum_energy_path,
    simulate_phase_field_crack,
)
from procgen.dents import Dent, DentShape
from procgen.dust import Dust, settled_grains
from procgen.fibres import Fibre, curled
from procgen.filiform import FilamentParameters, FiliformCorrosion, simulate_filaments
from procgen.fingerprints import Fingerprint, FingerprintParameters, simulate_ridges
from procgen.finish import (
    AnodisedFinish,
    CastFinish,
    CeramicFinish,
    GroundFinish,
    LaminateFinish,
    MilledFinish,
    PaintedFinish,
    RolledFinish,
    SandBlastedFinish,
    TurnedFinish,
)
from procgen.gouges import Gouge
from procgen.layer import Layer, SurfacePoints
from procgen.oil import OilFilm
from procgen.paths import Path as SurfacePath
from procgen.paths import arc
from procgen.pitting import DAY, Pitting, PittingParameters, simulate_pitting
from procgen.placement import jittered_centres
from procgen.rust import Rust, RustParameters, simulate_rust
from procgen.scratches import Scratch, ScratchProfile
from procgen.stains import WaterStains
from procgen.stickers import Sticker
from procgen.strokes import Chalk, Marker, hand_drawn
from procgen.voids import VoidParameters, Voids, embedded_voids, simulate_voids
from procgen.wear import Wear

SIDE = 1024  # points along either side of the surface
QUICK_SHARE = 32  # with --quick, the scalar loops take one in so many points and their time is scaled up
EXTENT = 0.1  # m

STAINS = WaterStains(0.02, 0.0065, 150.0, 0.0025, 8.0, -0.3, seed=4)
GREY = {"base_colour": (0.5, 0.5, 0.5), "roughness": 0.4, "mottle": 0.05}
FINISHES = {
    "anodised finish": AnodisedFinish(ra=4e-7, grain_size=8e-5, **GREY),
    "cast finish": CastFinish(ra=1.2e-5, sand_size=4e-4, **GREY),
    "ceramic finish": CeramicFinish(ra=3e-7, grain_size=8e-5, speck_density=5e4, **GREY),
    "laminate finish": LaminateFinish(ra=1e-6, warp_pitch=5.8e-4, weft_pitch=7.9e-4, **GREY),
    "milled finish": MilledFinish(
        ra=1.6e-6, tool_diameter=0.05, teeth=5, feed_per_tooth=1.5e-4, step_over=0.035, back_cutting=1.0, **GREY
    ),
    "painted finish": PaintedFinish(ra=6e-7, peel_size=1.5e-3, flakes=0.1, **GREY),
    "rolled finish": RolledFinish(
        ra=1e-6, lay_direction=(0, 1, 0), mark_length=6e-3, mark_width=2e-4, scale_cover=0.3, **GREY
    ),
    "sand-blasted finish": SandBlastedFinish(ra=3.2e-6, crater_size=2e-4, **GREY),
    "turned finish": TurnedFinish(ra=8e-7, feed=2.5e-4, **GREY),
}
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


WIDTH = DEPTH = 3e-4  # m, of the cracks
CRACKS: dict[str, Callable[[np.random.Generator], CrackGraph]] = {
    "crack": lambda rng: simulate_minimum_energy_path(
        CrackParameters(width=WIDTH, depth=DEPTH), (0.01, 0.02), (0.08, 0.09), rng
    ),
    "branching crack": lambda rng: simulate_fracture_walk(
        WalkParameters(width=WIDTH, depth=DEPTH, length=0.12, step=3e-4, branching_threshold=0.8),
        (0.0, 0.05),
        0.0,
        (0.1, 0.1),
        rng,
    ),
    "phase-field crack": lambda rng: simulate_phase_field_crack(
        PhaseFieldParameters(width=WIDTH, depth=DEPTH), (0.01, 0.05), (0.09, 0.05), rng
    ),
    "crazing, 625 cells": lambda rng: simulate_crazing(
        CrazingParameters(width=WIDTH, depth=DEPTH, cell=4e-3), (0.1, 0.1), rng
    ),
}


def texels(points: Floats) -> SurfacePoints:
    """The surface as a grid, whose hairlines are looked at texel by texel."""
    flat = SurfacePoints.of(points)
    return replace(flat, shape=(SIDE, SIDE), spacing=(EXTENT / SIDE, EXTENT / SIDE))


def cracked(simulate: Callable[[np.random.Generator], CrackGraph], points: SurfacePoints) -> None:
    """Simulate and evaluate a crack on the flat surface."""
    graph = simulate(np.random.default_rng(0))
    Crack(graph.embedded(lambda chart: np.column_stack([chart, np.zeros(len(chart))])), lip=0.1).evaluate(points)


def flat(chart: Floats) -> Floats:
    return np.column_stack([chart, np.zeros(len(chart))])


def pitted(points: Floats) -> None:
    """Simulate and evaluate 35,000 pits on the flat surface."""
    parameters = PittingParameters(density=3.5e6, depth=4e-5, elongation=1.3, clustering=0.3)
    pits = simulate_pitting(parameters, (EXTENT, EXTENT), 3 * DAY, np.random.default_rng(0))
    Pitting(pits.embedded(flat)).evaluate(points)


def rusted(points: Floats) -> None:
    """Simulate and evaluate rust over half of the flat surface."""
    parameters = RustParameters(spots=6e4, front_speed=6e-4 / DAY, front_width=2.5e-4, patchiness=1.0)
    field = simulate_rust(parameters, (EXTENT, EXTENT), 3 * DAY, np.random.default_rng(0))
    Rust(field, lambda positions: positions[:, :2], mottle=0.8).evaluate(points)


def threaded(points: Floats) -> None:
    """Simulate and evaluate 150 threads of 10 mm on the flat surface."""
    parameters = FilamentParameters(density=2000.0, speed=5e-4 / DAY, width=2.5e-4)
    scratch = np.array([[0.01, 0.03], [0.08, 0.06]])
    threads = simulate_filaments(parameters, [scratch], 20 * DAY, np.random.default_rng(0))
    FiliformCorrosion(threads.embedded(flat)).evaluate(points)


def damaged(name: str, points: Floats) -> None:
    """Deformation and loss of material, each as large as it gets on a part."""
    rng = np.random.default_rng(1)
    middle = Anchor((0.5 * EXTENT, 0.5 * EXTENT, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    path = SurfacePath(flat(arc((0.01, 0.02), 0.09, 0.7, 0.4)))
    layer: Layer
    match name:
        case "dent":
            layer = Dent(middle, DentShape.of_size(8e-3, 1e-3))
        case "bump":
            layer = Bump(middle, 0.04, 1e-3, 8e-3)
        case "scratch":
            layer = Scratch(path, ScratchProfile(1e-3, 1e-4), run_in=0.01, run_out=0.03, stick_slip=0.4)
        case "gouge":
            layer = Gouge(path, 5e-3, 5e-4, run_in=0.02, smear=0.01, smear_height=3e-4, lip=1e-4)
        case "chipped edge":
            chip = ChipParameters(0.04, 0.03, 3e-3, hollows=4)
            layer = ChippedEdge(middle, chip, simulate_chip(chip, rng))
        case "1,000 pores":
            pores = simulate_voids(VoidParameters(6e-4, count=1000, spread=0.025), (0.05, 0.05), rng)
            facing, right = (np.tile(axis, (1000, 1)) for axis in np.eye(3)[[2, 0]])
            layer = Voids(pores, *embedded_voids(pores, flat, lambda _: facing, lambda _: right))
        case "wear, all over":
            layer = Wear(middle, 2 * EXTENT, 2 * EXTENT)
    layer.evaluate(points)


DAMAGES = ("dent", "bump", "scratch", "gouge", "chipped edge", "1,000 pores", "wear, all over")


def soiled(name: str, points: SurfacePoints) -> None:
    """What lies on the surface, simulated and evaluated, each as large as it gets."""
    rng = np.random.default_rng(1)
    middle = Anchor((0.5 * EXTENT, 0.5 * EXTENT, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    lines = tuple(SurfacePath(flat(line + 0.5 * EXTENT)) for line in hand_drawn("cross", 0.9 * EXTENT, rng))
    layer: Layer
    match name:
        case "stains that ring and drip":
            layer = replace(STAINS, heterogeneity=0.3, rings=3, drip_length=0.012)
        case "fingerprint":
            finger = FingerprintParameters(0.016, 0.023, "whorl")
            layer = Fingerprint(middle, finger, simulate_ridges(finger, rng))
        case "sticker":
            layer = Sticker(middle, 0.08, 0.06, 0.004, text="0815", bars=True, lift=1e-3, bubbles=8)
        case "oil film":
            layer = OilFilm(middle, 0.05)
        case "10,000 grains of dust":
            layer = Dust(settled_grains(flat(rng.uniform(0.0, EXTENT, (10_000, 2))), 8e-5, 0.5, 0.25, rng))
        case "fibre":
            layer = Fibre(SurfacePath(flat(curled(0.08, 2.0, 3.0, rng) + 0.5 * EXTENT)))
        case "chalk":
            layer = Chalk(lines, 0.01)
        case "marker":
            layer = Marker(lines, 0.01)
    layer.evaluate(points)


SOILS = (
    "stains that ring and drip",
    "fingerprint",
    "sticker",
    "oil film",
    "10,000 grains of dust",
    "fibre",
    "chalk",
    "marker",
)


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
    grid = texels(points)

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
        **{name: (partial(finish.evaluate, points), None) for name, finish in FINISHES.items()},
        **{name: (partial(cracked, simulate, grid), None) for name, simulate in CRACKS.items()},
        **{name: (partial(damaged, name, points), None) for name in DAMAGES},
        "pitting": (lambda: pitted(points), None),
        "rust": (lambda: rusted(points), None),
        "filiform corrosion": (lambda: threaded(points), None),
        **{name: (partial(soiled, name, grid), None) for name in SOILS},
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
