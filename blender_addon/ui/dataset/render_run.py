"""A rendering that goes on beside Blender's window."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from blender_addon.ui.runs import Phase, Run

if TYPE_CHECKING:
    from scenes import Dataset, Recipe


@dataclass(frozen=True)
class RenderRequest:
    """What `render_dataset` shall render. options: its further keyword arguments, such as the device."""

    recipe: Recipe
    folder: Path
    frames: int
    seed: int
    samples: int
    workers: int = 1
    options: Mapping[str, object] | None = None


class RenderRun(Run):
    """A dataset being rendered in Blender processes of its own; with a page to look through it beside its folder.

    page: whether that is written.

    seconds_to_start: from the beginning until the first of them had set its stage; None before.
    """

    can_pause = True

    def __init__(self, title: str, request: RenderRequest, *, page: bool = False) -> None:
        from blender_addon.workers.control import Control

        super().__init__(title, request.folder)
        self.request = request
        self.page = page
        self.seconds_to_start: float | None = None
        self._began = 0.0
        self._control = Control(on_ready=self._on_ready)

    def pause(self) -> None:
        self._control.pause()
        self._stop_watch()
        self._set(phase=Phase.PAUSED)

    def resume(self) -> None:
        self._control.resume()
        self._start_watch()
        self._set(phase=Phase.RUNNING)

    def cancel(self) -> None:
        self._control.cancel()

    def _work(self) -> str:
        from blender_addon.workers.render import render_dataset

        self._began = time.monotonic()
        request = self.request
        dataset = render_dataset(
            request.recipe,
            request.folder,
            request.frames,
            request.seed,
            samples=request.samples,
            workers=request.workers,
            on_begin=self._on_begin,
            on_frame=self._on_frame,
            control=self._control,
            **(request.options or {}),  # type: ignore[arg-type]
        )
        if self.page:
            write_page_on(dataset)
        return f"{request.frames} {'frame' if request.frames == 1 else 'frames'} in {request.folder}"

    def _on_begin(self, missing: int) -> None:
        done = self.request.frames - missing
        self._set(done=done, before=done, total=self.request.frames)

    def _on_ready(self) -> None:
        if self.seconds_to_start is None:
            self.seconds_to_start = time.monotonic() - self._began
        if not self._control.paused:
            self._start_watch()
            self._set(phase=Phase.RUNNING)

    def _on_frame(self, index: int) -> None:
        with self._lock:
            self._state = replace(self._state, done=self._state.done + 1)


def write_page_on(dataset: Dataset) -> None:
    """Write the page that `blemish report` writes on a dataset, beside its folder. Raises DatasetError."""
    from scenes.datasets.lock import locked
    from scenes.gallery.survey import survey
    from scenes.gallery.writing import page_folder, write_page

    folder = page_folder(dataset.path.resolve())
    with locked(folder):
        looked = survey(dataset, folder, lambda what, done, total: None)
        write_page(folder, looked, command=shlex.join(["blemish", "report", str(dataset.path)]))
