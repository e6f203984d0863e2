"""The handle by which another thread pauses, continues and cancels a rendering."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from blender_addon.workers.job import GO, PAUSE
from procgen.errors import BlemishError

if TYPE_CHECKING:
    from blender_addon.workers.render import BlenderProcess


class Cancelled(BlemishError):
    """A rendering that was told to end before its last frame; every whole frame is kept."""


class Control:
    """Given to `render_dataset` by one thread, used by another while it runs.

    on_ready: called when a Blender process has set its stage, before its first frame.
    """

    def __init__(self, on_ready: Callable[[], None] = lambda: None) -> None:
        self.on_ready = on_ready
        self.paused = False
        self.cancelled = False
        self._blenders: list[BlenderProcess] = []
        self._lock = threading.Lock()

    def take(self, blender: BlenderProcess) -> None:
        """Have this process heed what is said from now on, and what was said before."""
        with self._lock:
            self._blenders.append(blender)
            if self.cancelled:
                blender.process.kill()
            elif self.paused:
                blender.tell(PAUSE)

    def pause(self) -> None:
        """Begin no further frame until `go`; those at work are finished."""
        self._say(PAUSE, paused=True)

    def go(self) -> None:
        """Go on after `pause`."""
        self._say(GO, paused=False)

    def cancel(self) -> None:
        """End at once; the frames at work are not written."""
        with self._lock:
            self.cancelled = True
            for blender in self._blenders:
                blender.process.kill()

    def raise_if_cancelled(self) -> None:
        if self.cancelled:
            raise Cancelled("the rendering was cancelled; every whole frame is kept")

    def _say(self, word: str, *, paused: bool) -> None:
        with self._lock:
            self.paused = paused
            for blender in self._blenders:
                blender.tell(word)
