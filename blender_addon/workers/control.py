"""The handle by which another thread pauses, continues and cancels a rendering."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from blender_addon.workers.job import PAUSE, RESUME
from procgen.errors import BlemishError


class Cancelled(BlemishError):
    """A rendering that was told to end before its last frame; every whole frame is kept."""


class Process(Protocol):
    """What a control asks of a Blender process: to take a word, PAUSE or RESUME, and to end at once."""

    def tell(self, word: str) -> None: ...

    def kill(self) -> None: ...


class Control:
    """Given to `render_dataset` by one thread, used by another while it runs.

    on_ready: called when a Blender process has set its stage, before its first frame.
    """

    def __init__(self, on_ready: Callable[[], None] = lambda: None) -> None:
        self.on_ready = on_ready
        self.paused = False
        self.cancelled = False
        self._processes: list[Process] = []
        self._lock = threading.Lock()

    def attach(self, process: Process) -> None:
        """Have this process heed what is said from now on, and what was said before."""
        with self._lock:
            self._processes.append(process)
            if self.cancelled:
                process.kill()
            elif self.paused:
                process.tell(PAUSE)

    def pause(self) -> None:
        """Begin no further frame until `resume`; those at work are finished."""
        self._say(PAUSE, paused=True)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._say(RESUME, paused=False)

    def cancel(self) -> None:
        """End at once; the frames at work are not written."""
        with self._lock:
            self.cancelled = True
            for process in self._processes:
                process.kill()

    def raise_if_cancelled(self) -> None:
        if self.cancelled:
            raise Cancelled("the rendering was cancelled; every whole frame is kept")

    def _say(self, word: str, *, paused: bool) -> None:
        with self._lock:
            self.paused = paused
            for process in self._processes:
                process.tell(word)
