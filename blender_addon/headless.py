"""The loop inside a Blender process: draw a scene, put it on the stage, render its passes, write the frame.

Started by `blender_addon.render`, which sends one job as a line of JSON on standard input and keeps that open.
"""

import os
import sys
import threading

import numpy as np

from blender_addon.centres import settled
from blender_addon.job import ERROR_MARK, FRAME_MARK, GO, PAUSE, READY_MARK, Job
from blender_addon.passes import render_labels, render_picture
from blender_addon.stage import Stage, build_stage
from procgen.errors import BlemishError
from scenes import DatasetWriter, Recipe, Scene, build_part, develop, draw, surface_maps
from scenes.atlas import texture


def render_frame(stage: Stage, scene: Scene, writer: DatasetWriter) -> None:
    """Render one drawn scene on the stage and write it as a frame of the dataset."""
    part, maps = build_part(scene.part), surface_maps(scene)
    stage.show(scene, part, maps)
    image = develop(render_picture(stage), scene.sensor)
    labels, seen_uv = render_labels(stage)
    label_maps = np.dstack([maps.classes, maps.defects, maps.impurities])
    uvs = texture(part, scene.texel_size).uvs
    labels = settled(labels, seen_uv, label_maps, part.mesh, uvs, scene.camera)
    writer.write(scene.index, image, labels[..., 0], labels[..., 1], labels[..., 2], scene, maps.instances)


def run(job: Job, may_go_on: threading.Event) -> None:
    """Render every frame of the job, telling of each on standard output; begins none while it may not go on."""
    recipe = Recipe.model_validate_json(job.recipe)
    writer = DatasetWriter(job.out, recipe, job.seed, job.frames, samples=job.samples)
    stage = build_stage(job.samples, job.threads)
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
        elif line.strip() == GO:
            may_go_on.set()
    os._exit(1)


def main() -> int:
    job = Job.from_json(sys.stdin.readline())
    may_go_on = threading.Event()
    may_go_on.set()
    threading.Thread(target=heed_parent, args=[may_go_on], daemon=True).start()
    try:
        run(job, may_go_on)
    except BlemishError as error:
        print(f"\n{ERROR_MARK}{error}", flush=True)
        return 2
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # Blender's own tear-down takes a second and can crash on some drivers; every frame is on disk
