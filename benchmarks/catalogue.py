"""What every kind of finish, defect and impurity costs at 1024² texels, and how that grows with the texels.

python benchmarks/catalogue.py [--quick] [--json FILE]

Each kind's shipped example is grown and evaluated on the texels of a square plate: first at a quarter of them, then at
all. The last row is a whole surface, a finish under six layers composed into maps. Memory is the peak of what NumPy and
Python allocate, in a run of its own.
"""

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report
from procgen.layer import SurfacePoints, compose
from scenes.atlas import Chart
from scenes.examples import Group, catalogue, example
from scenes.kinds import SceneLayer
from scenes.parts.plate import PlaneChart
from scenes.scene import Scene

SIDE = 1024  # texels
EXTENT = 0.04  # m, of the plate's sides
SURFACE = ("crack", "pitting", "scratch", "dent", "water_stains", "fingerprint")  # six layers of one surface
MEBIBYTE = 2**20


def square(side: int) -> tuple[Chart, SurfacePoints]:
    """A square plate's chart and the texels on it, `side` along each of its sides."""
    chart = PlaneChart(EXTENT, EXTENT)
    return chart, chart.points(EXTENT / side)


def drawn(group: Group, kind: str) -> Scene:
    """The example of a kind at its most severe."""
    return example(group, kind).scenes()[-1]


def layers_of(group: Group, kind: str) -> list[SceneLayer]:
    return [layer for layer, _ in drawn(group, kind).placed_layers()]


def work(group: Group, kind: str, side: int) -> Callable[[], object]:
    """Grow and evaluate the kind on side² texels."""
    chart, points = square(side)
    if group == "finish":
        finish = drawn(group, kind).finish
        return lambda: finish.evaluate(points)
    layers = layers_of(group, kind)
    return lambda: [layer.grown(chart).evaluate(points) for layer in layers]


def surface(side: int) -> Callable[[], object]:
    """A whole surface: a ground finish under six layers, composed."""
    chart, points = square(side)
    finish = drawn("finish", "ground").finish
    groups = catalogue()
    kinds: list[tuple[Group, str]] = [
        ("defects" if kind in groups["defects"] else "impurities", kind) for kind in SURFACE
    ]
    layers = [layers_of(group, kind)[0] for group, kind in kinds]
    classes = {layer.grown(chart).class_name: bit for bit, layer in enumerate(layers)}
    return lambda: compose(points, finish, [layer.grown(chart) for layer in layers], classes)


def seconds(job: Callable[[], object]) -> float:
    """The shorter of two runs."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return min(times)


def measured(name: str, prepare: Callable[[int], Callable[[], object]], quick: bool) -> dict[str, Figure]:
    quarter, whole = prepare(SIDE // 2), prepare(SIDE)
    row: dict[str, Figure] = {"at 1024² texels": name, "s": seconds(whole)}
    if not quick:
        row["s at a quarter"] = seconds(quarter)
        row["ratio, 4 if linear"] = float(row["s"] or 0) / float(row["s at a quarter"] or 1)
        tracemalloc.start()
        whole()
        row["peak MiB"] = tracemalloc.get_traced_memory()[1] / MEBIBYTE
        tracemalloc.stop()
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="times alone, of the whole; under a minute")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    groups: tuple[Group, ...] = ("finish", "defects", "impurities")
    rows = []
    for group in groups:
        for kind in catalogue()[group]:
            if group != "finish" and drawn(group, kind).part.kind == "pcb":
                continue  # the six defects of copper lie on a board's own layout
            rows.append(measured(f"{kind} ({group})", lambda side, g=group, k=kind: work(g, k, side), arguments.quick))
    rows.append(measured("a finish and six layers, composed", surface, arguments.quick))
    report(rows, arguments.json, title="Every kind, simulated and evaluated")


if __name__ == "__main__":
    main()
