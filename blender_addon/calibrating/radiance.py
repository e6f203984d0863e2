"""Shots of recipes, each of its own, as work for Blender processes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.errors import RenderError
from blender_addon.workers.blenders import Blender, find
from blender_addon.workers.control import Control
from blender_addon.workers.devices import CPU
from blender_addon.workers.job import RADIANCE, Job
from blender_addon.workers.process import BlenderProcess
from blender_addon.workers.render import device_of, render_dataset
from scenes import Recipe, read_samples
from scenes.calibration.defects.fitting import Labelled
from scenes.calibration.measuring import Renderer, Shot, Take
from scenes.camera.sensor import Singles
from scenes.formats.sample import Sample
from scenes.jobs.executor import Place
from scenes.jobs.local import Local


@dataclass(frozen=True)
class Shooting:
    """Rendering what arrives at the cameras of shots, as work for Blender processes of this machine.

    job: what all have in common. cards: of graphics, which processes share; 0: none.
    """

    job: Job
    program: Blender
    cards: int

    has_own_process = True

    def open(self, place: Place) -> Photographer:
        """A Blender process that is being started. Raises RenderError."""
        job = self.job.of_process(place.number, place.cores, self.cards)
        return Photographer(BlenderProcess(self.program, job, None, Control()))


@dataclass(frozen=True)
class Photographer:
    """One Blender, which takes one shot after the other."""

    process: BlenderProcess

    def do(self, task: tuple[int, Shot]) -> Singles:
        """(H, W, 3) float32. Raises RenderError, BlenderLost."""
        number, shot = task
        request = json.dumps([number, shot.recipe.model_dump_json(), shot.seed, shot.index])
        files = self.process.files(request, str(number), [RADIANCE])
        radiance: Singles = np.load(io.BytesIO(files[RADIANCE]), allow_pickle=False)
        return radiance

    def stop(self) -> None:
        """End the process at once; the shot it was at is lost."""
        self.process.stop()


def renderer(
    recipe: Recipe,
    *,
    samples: int,
    workers: int | None = None,
    blender: str | Path | None = None,
    device: str = CPU,
    on_note: Callable[[str], None] = lambda sentence: None,
) -> Renderer:
    """What renders shots of a recipe and of its like by Blender processes that share this machine's cores.

    Raises RenderError where there is no Blender.
    """
    if workers is not None and workers < 1:
        raise RenderError(f"found {workers} workers; expected 1 or more")
    program = find(blender)
    device, cards = device_of(program, device, on_note)
    work = Shooting(Job(recipe.model_dump_json(), 0, samples, device=device, shots=True), program, cards)

    def render(shots: Sequence[Shot], take: Take) -> None:
        Local(workers or max(1, cards)).run(work, list(enumerate(shots)), take)

    return render


def labelled(folder: Path, seed: int, **rendering: Any) -> Labelled:
    """Photographs with masks, and what renders frames with theirs; rendering: as of `render_dataset`."""

    def frames(recipe: Recipe, out: Path, count: int) -> list[Sample]:
        render_dataset(recipe, out, count, seed, **rendering)
        return read_samples(out)

    return Labelled(folder, frames)
