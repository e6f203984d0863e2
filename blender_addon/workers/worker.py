"""The loop inside a Blender process: draw a scene, put it on the stage, render its passes, hand over the frame.

Started by `blender_addon.workers.process`, which sends one job as a line of JSON on standard input, then line by line
the number of a frame, or a shot for calibration, and keeps that open. The libraries are imported only once the job is
there, so that a Blender whose Python cannot load them can say so.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from blender_addon.workers.job import (
    CARDS_MARK,
    ERROR_MARK,
    EXPORT,
    EXPORTED_MARK,
    FRAME_MARK,
    LIST_CARDS,
    RADIANCE,
    READY_MARK,
    Job,
)
from procgen.errors import BlemishError

if TYPE_CHECKING:
    from blender_addon.rendering.stage import Stage
    from scenes import Recipe, Scene
    from scenes.datasets.frame_files import FrameFiles
    from scenes.datasets.passes import PassFormat, PassName
    from scenes.maps import LatestSurface

NO_PASSES: Mapping[PassName, PassFormat] = {}


def render_frame(
    stage: Stage,
    scene: Scene,
    recipe: Recipe,
    passes: Mapping[PassName, PassFormat] = NO_PASSES,
    latest: LatestSurface | None = None,
) -> FrameFiles:
    """Render one scene, drawn from the recipe, on the stage, as the files of a frame of the recipe's dataset.

    passes: of those that the stage was built with, each in its format. latest: the surface of the frame before.
    """
    import numpy as np

    from blender_addon.rendering.label_refinement import pixel_ray, refine_labels
    from blender_addon.rendering.passes import labels_in, passes_in, picture_in, render
    from blender_addon.rendering.stage import PART
    from scenes import build_part, develop, surface_maps
    from scenes.datasets.frame_files import frame_files
    from scenes.datasets.passes import PassPictures
    from scenes.geometry.atlas import texture

    part, maps = build_part(scene.part), surface_maps(scene) if latest is None else latest.maps(scene)
    stage.show(scene, part, maps)
    with ThreadPoolExecutor(1) as beside:
        # While Cycles is at the labels.
        image = beside.submit(develop, picture_in(render(stage.picture)), scene.sensor)
        channels = render(stage.exact)
        labels, seen_uv = labels_in(channels)
        label_maps = np.dstack([maps.classes, maps.defects, maps.impurities])
        uvs = texture(part, scene.texel_size).uvs
        labels = refine_labels(labels, seen_uv, label_maps, part.mesh, uvs, partial(pixel_ray, scene.camera))
    beneath = PassPictures(passes_in(channels, passes, stage.exact.camera), passes, (PART,)) if passes else None
    masks = (labels[..., 0], labels[..., 1], labels[..., 2])
    return frame_files(recipe, image.result(), *masks, scene, maps.instances, passes=beneath)


def stage_of(job: Job) -> Callable[[Any], FrameFiles]:
    """Set Blemish's stage, or open the user's scene: what gives the files of the frame of a number, or of a shot."""
    from blender_addon.workers import devices

    if job.blend:
        from blender_addon.own_scene.frames import OwnSceneStage

        own = OwnSceneStage(job)
        devices.use(job.device, job.card)
        return own.frame
    from blender_addon.rendering.stage import build_stage
    from scenes import Recipe, draw
    from scenes.maps import LatestSurface

    recipe = Recipe.model_validate_json(job.recipe)
    stage = build_stage(job.samples, job.threads, passes=job.passes, on_card=job.device != devices.CPU)
    devices.use(job.device, job.card)
    if job.shots:
        return lambda shot: render_radiance(stage, shot)
    latest = LatestSurface()
    return lambda index: render_frame(stage, draw(recipe, job.seed, index), recipe, job.passes, latest)


def render_radiance(stage: Stage, shot: list[Any]) -> FrameFiles:
    """What arrives at the camera of the scene that [number, recipe, seed, index] draw, in what of it is measured."""
    import numpy as np

    from blender_addon.rendering.passes import render_middle
    from scenes import Recipe, build_part, draw, surface_maps

    _, recipe, seed, index = shot
    scene = draw(Recipe.model_validate_json(recipe), seed, index)
    stage.show(scene, build_part(scene.part), surface_maps(scene))
    content = io.BytesIO()
    np.save(content, render_middle(stage.picture, scene.camera), allow_pickle=False)
    return {RADIANCE: content.getvalue()}


def run(job: Job, next_task: Callable[[], Any]) -> None:
    """Render task after task, telling of each on standard output, until the process is ended.

    A task is the number of a frame, or of a shot: a list with its number, and what `render_radiance` is given.
    """
    from scenes.datasets.files import explained

    frame = stage_of(job)
    print(f"\n{READY_MARK}", flush=True)
    while True:
        task = next_task()
        index = task[0] if job.shots else task
        files, folder = frame(task), Path(job.folder) / str(index)
        with explained(folder):
            folder.mkdir()
            for name, content in files.items():
                (folder / name).write_bytes(content)
        print(f"\n{FRAME_MARK}{index}", flush=True)


def heed_parent(tasks: SimpleQueue[Any]) -> None:
    """Pass on what is asked for; leave when standard input closes, as when the process that holds it dies."""
    for line in sys.stdin:
        tasks.put(json.loads(line))
    os._exit(1)


def answer(line: str) -> int:
    """Do what the first line from the parent asks; gives the exit code."""
    try:
        if line.strip() == LIST_CARDS:
            from blender_addon.workers.devices import available

            print(f"\n{CARDS_MARK}{json.dumps(available())}", flush=True)
            return 0
        if line.startswith(EXPORT):
            from blender_addon.rendering.mesh_export import open_and_export

            blend, name, folder = json.loads(line.removeprefix(EXPORT))
            print(f"\n{EXPORTED_MARK}{open_and_export(blend, name, Path(folder))}", flush=True)
            return 0
        tasks: SimpleQueue[Any] = SimpleQueue()
        threading.Thread(target=heed_parent, args=[tasks], daemon=True).start()
        run(Job.from_json(line), tasks.get)
    except BlemishError as error:
        print(f"\n{ERROR_MARK}{error}", flush=True)
        return 2
    except ImportError as error:
        python = "{}.{}".format(*sys.version_info)
        cause = (str(error).strip().splitlines() or [""])[0]  # numpy's goes on for a page
        print(
            f"\n{ERROR_MARK}this Blender's Python {python} cannot load a library of Blemish ({cause}); expected Python "
            "3.11 and the libraries of blemish[render]",
            flush=True,
        )
        return 2
    return 0


def main() -> None:
    """Answer the parent and leave the process."""
    code = 1
    try:
        code = answer(sys.stdin.readline())
    except Exception:  # a Blender that runs a script would go on after it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # Blender's own tear-down takes a second and can crash on some drivers; every frame is on disk


if __name__ == "__main__":
    main()
