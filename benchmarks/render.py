"""What a frame of a dataset costs over the bare Cycles render of the same picture, and whether that stays so.

The bare render is Blender's own operator on the very same stage, nothing read back and nothing written. A frame is the
whole of it: drawing the scene, its surface maps, uploading them, the picture, the labels, the sensor, five files.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import bpy
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report
from blender_addon.rendering import passes
from blender_addon.rendering.stage import build_stage
from blender_addon.workers import worker
from scenes import DatasetWriter, Recipe, draw, load_recipe

QUICK_FRAMES, FULL_FRAMES = 2, 10
STAINED = ("crack", "water_stains")  # the layers of [Mao 2025] with its stains
STEADY_FRAMES = 200
STEADY_SHRINK = 4  # the long run looks for growth, not for speed: a small picture shows it sooner
MEBIBYTE = 2**20


def overhead(label: str, recipe: Recipe, samples: int, frames: int) -> dict[str, Figure]:
    """Seconds of bare render, of a whole frame, and of its label pass; medians over `frames` frames after the first."""
    stage = build_stage(samples)
    bare, whole, labels = [], [], []
    with TemporaryDirectory() as folder:
        writer = DatasetWriter(Path(folder) / "set", recipe, 0, frames + 1, samples=samples)
        for index in range(frames + 1):
            start = time.perf_counter()
            writer.put(index, worker.render_frame(stage, draw(recipe, 0, index), writer.recipe))
            whole.append(time.perf_counter() - start)
            start = time.perf_counter()
            bpy.ops.render.render(scene=stage.picture.name)
            bare.append(time.perf_counter() - start)
            start = time.perf_counter()
            passes.labels_in(passes.render(stage.exact))
            labels.append(time.perf_counter() - start)
    seconds = {
        key: statistics.median(times[1:]) for key, times in (("bare", bare), ("frame", whole), ("labels", labels))
    }
    return {
        "recipe": label,
        "pixels": "{} x {}".format(*recipe.camera.resolution),
        "samples": samples,
        "bare render s": seconds["bare"],
        "whole frame s": seconds["frame"],
        "ratio": seconds["frame"] / seconds["bare"],
        "labels s": seconds["labels"],
        "labels / bare": seconds["labels"] / seconds["bare"],
    }


def steadiness(name: str, frames: int) -> dict[str, Figure]:
    """Seconds a frame and resident memory over the first and the last quarter of a long run in one process."""
    recipe = load_recipe(name)
    width, height = recipe.camera.resolution
    fields = recipe.model_dump(mode="json")
    fields["camera"]["resolution"] = [width // STEADY_SHRINK, height // STEADY_SHRINK]
    recipe = type(recipe).model_validate(fields)
    stage = build_stage(samples=1)
    process, times, memory = psutil.Process(), [], []
    with TemporaryDirectory() as folder:
        writer = DatasetWriter(Path(folder) / "set", recipe, 0, frames)
        for index in range(frames):
            start = time.perf_counter()
            writer.put(index, worker.render_frame(stage, draw(recipe, 0, index), writer.recipe))
            times.append(time.perf_counter() - start)
            memory.append(process.memory_info().rss / MEBIBYTE)
    quarter = frames // 4
    first, last = slice(quarter // 2, quarter), slice(-quarter, None)  # the first frames warm up
    return {
        "recipe": name,
        "frames": frames,
        "first quarter s": statistics.median(times[first]),
        "last quarter s": statistics.median(times[last]),
        "time ratio": statistics.median(times[last]) / statistics.median(times[first]),
        "first quarter MiB": statistics.median(memory[first]),
        "last quarter MiB": statistics.median(memory[last]),
        "memory ratio": statistics.median(memory[last]) / statistics.median(memory[first]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two frames, no long run; under a minute")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--samples", type=int, default=32)
    arguments = parser.parse_args()
    plate = load_recipe("plate")
    frames = QUICK_FRAMES if arguments.quick else FULL_FRAMES
    rows = [overhead("plate, cracks and stains", plate.only(*STAINED), arguments.samples, frames)]
    if not arguments.quick:
        rows.append(overhead("plate, all that it can have", plate, arguments.samples, FULL_FRAMES))
        rows.append(overhead("magnetic_tile", load_recipe("magnetic_tile"), arguments.samples, FULL_FRAMES))
        rows.append(steadiness("plate", STEADY_FRAMES))
    report(rows, arguments.json, title="A frame against the bare render of its picture")


if __name__ == "__main__":
    main()
