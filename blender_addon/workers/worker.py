"""The loop inside a Blender process: draw a scene, put it on the stage, render its passes, write the frame.

Started by `blender_addon.workers.process`, which sends one job as a line of JSON on standard input and keeps that
open. The libraries are imported only once the job is there, so that a Blender whose Python cannot load them can say so.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from blender_addon.workers.job import (
    CARDS_MARK,
    ERROR_MARK,
    EXPORT,
    EXPORTED_MARK,
    FRAME_MARK,
    LIST_CARDS,
    PAUSE,
    READY_MARK,
    RESUME,
    Job,
)
from procgen.errors import BlemishError

if TYPE_CHECKING:
    from blender_addon.rendering.stage import Stage
    from scenes import DatasetWriter, Scene


def render_frame(stage: Stage, scene: Scene, writer: DatasetWriter) -> None:
    """Render one drawn scene on the stage and write it as a frame of the dataset."""
    import numpy as np

    from blender_addon.rendering.label_refinement import refine_labels
    from blender_addon.rendering.passes import render_labels, render_picture
    from scenes import build_part, develop, surface_maps
    from scenes.geometry.atlas import texture

    part, maps = build_part(scene.part), surface_maps(scene)
    stage.show(scene, part, maps)
    with ThreadPoolExecutor(1) as beside:
        image = beside.submit(develop, render_picture(stage), scene.sensor)  # while Cycles is at the labels
        labels, seen_uv = render_labels(stage)
        label_maps = np.dstack([maps.classes, maps.defects, maps.impurities])
        uvs = texture(part, scene.texel_size).uvs
        labels = refine_labels(labels, seen_uv, label_maps, part.mesh, uvs, scene.camera)
    writer.write(scene.index, image.result(), labels[..., 0], labels[..., 1], labels[..., 2], scene, maps.instances)


def run(job: Job, may_go_on: threading.Event) -> None:
    """Render every frame of the job, telling of each on standard output; begins none while it may not go on."""
    from blender_addon.rendering.stage import build_stage
    from blender_addon.workers import devices
    from scenes import DatasetWriter, Recipe, draw

    recipe = Recipe.model_validate_json(job.recipe)
    writer = DatasetWriter(job.out, recipe, job.seed, job.frames, verify=False, **job.settings)
    stage = build_stage(job.samples, job.threads, on_card=job.device != devices.CPU)
    devices.use(job.device, job.card)
    print(f"\n{READY_MARK}", flush=True)
    for index in job.indices:
        may_go_on.wait()
        render_frame(stage, draw(recipe, job.seed, index), writer)
        print(f"\n{FRAME_MARK}{index}", flush=True)


def heed_parent(may_go_on: threading.Event) -> None:
    """Pause and go on as told; leave when standard input closes, as it does when the process that holds it dies."""
    for line in sys.stdin:
        if line.strip() == PAUSE:
            may_go_on.clear()
        elif line.strip() == RESUME:
            may_go_on.set()
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
        may_go_on = threading.Event()
        may_go_on.set()
        threading.Thread(target=heed_parent, args=[may_go_on], daemon=True).start()
        run(Job.from_json(line), may_go_on)
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
