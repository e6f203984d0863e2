"""What a frame in a scene of one's own costs over Blender's own render of that scene, on the three examples.

Blender renders the file with its own materials, brought to the frame's poses, lights and camera, with as many samples,
no adaptive sampling, the file's denoiser, and writes the picture. A frame is the whole of it: drawing, moving and
dropping, the layers and their textures, that picture, the exact masks, its files. Seconds are of the processor, all its
cores together, so that other work on the machine counts for neither; medians over the frames after the first.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report
from blender_addon.own_scene.frames import OwnSceneStage
from blender_addon.own_scene.opening import open_scene, settle
from blender_addon.own_scene.picture import render_developed
from blender_addon.own_scene.variation import Original, contents_of
from blender_addon.workers.job import Job
from scenes import Scene, load_recipe
from scenes.datasets.files import sha256_of
from scenes.own_scene.contents import matching
from tools.example_scenes.making import EXAMPLES, write

QUICK = {"frames": 1, "samples": 8, "percent": 25}
FULL = {"frames": 2, "samples": 64, "percent": 50}


def processor_seconds(work: Callable[[], object]) -> float:
    """What a call takes of all cores together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measured(name: str, folder: Path, frames: int, samples: int, percent: int, threads: int) -> dict[str, Figure]:
    """Seconds of a frame and of Blender's own render of the same, medians over the frames after the first."""
    path = write(name, folder)
    bpy.context.scene.render.resolution_percentage = percent
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    recipe = load_recipe(path.with_suffix(".yaml"))
    assert recipe.scene is not None
    recipe = recipe.model_copy(update={"scene": recipe.scene.pinned()})
    digest = sha256_of(path)
    stage = OwnSceneStage(Job(recipe.model_dump_json(), 0, samples, threads=threads, blend=str(path), digest=digest))
    files = [dict(stage.frame(0))]
    whole = [processor_seconds(lambda: files.append(dict(stage.frame(len(files))))) for _ in range(frames)]
    records = [Scene.model_validate(json.loads(frame["scenes"])["scene"]) for frame in files]

    scene, _ = open_scene(str(path), digest)
    settle(scene, samples, threads, on_card=False)
    section = recipe.scene
    inspected = matching(section.inspect, sorted(thing.name for thing in scene.objects))
    original = Original(scene, section, contents_of(scene, inspected))
    bare = []
    for record in records:
        assert record.variation is not None
        assert record.own is not None
        original.vary(record.variation)
        scene.camera = scene.objects[record.own.camera]
        bare.append(processor_seconds(lambda: render_developed(scene, 8)))
    ours, theirs = statistics.median(whole), statistics.median(bare[1:])
    return {
        "scene": name,
        "pixels": f"{records[0].camera.width} x {records[0].camera.height}",
        "samples": samples,
        "Blender's own render s": theirs,
        "whole frame s": ours,
        "ratio": ours / theirs,
        "more s": ours - theirs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small frame of few samples")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--frames", type=int, help=f"frames after the first, {FULL['frames']} by default")
    parser.add_argument("--samples", type=int, help=f"samples a pixel, {FULL['samples']} by default")
    parser.add_argument("--percent", type=int, help="of 1024 x 768 pixels, 50 by default")
    parser.add_argument("--threads", type=int, default=0, help="threads of the renders; 0 is one a core")
    parser.add_argument("--scene", choices=EXAMPLES, action="append", help="one of the scenes alone")
    options = parser.parse_args()
    settings = {
        key: value if getattr(options, key) is None else getattr(options, key)
        for key, value in (QUICK if options.quick else FULL).items()
    }
    with TemporaryDirectory() as folder:
        rows = [measured(name, Path(folder), **settings, threads=options.threads) for name in options.scene or EXAMPLES]
    report(rows, options.json, title="A frame in one's own scene against Blender's own render of it")


if __name__ == "__main__":
    main()
