"""The handle by which another thread pauses, continues and cancels a rendering."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from procgen.errors import BlemishError


class Cancelled(BlemishError):
    """A rendering that was told to end before its last frame; every whole frame is kept."""


class Process(Protocol):
    """What a control asks of a Blender process: to end at once."""

    def kill(self) -> None: ...


class Control:
    """Given to `render_dataset` by one thread, used by another while it runs; on other machines nobody hears it.

    on_ready: called when a Blender process has set its stage, before its first frame.
    """

    def __init__(self, on_ready: Callable[[], None] = lambda: None) -> None:
        self.on_ready = on_ready
        self.cancelled = False
        self._processes: list[Process] = []
        self._may_go_on = threading.Event()
        self._may_go_on.set()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Control], tuple[()]]:
        return Control, ()

    @property
    def paused(self) -> bool:
        return not self._may_go_on.is_set()

    def attach(self, process: Process) -> None:
        """Have this process heed what is said from now on, and what was said before."""
        with self._lock:
            self._processes.append(process)
            if self.cancelled:
                process.kill()

    def pause(self) -> None:
        """Begin no further frame until `resume`; those at work are finished."""
        self._may_go_on.clear()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._may_go_on.set()

    def cancel(self) -> None:
        """End at once; the frames at work are not written."""
        with self._lock:
            self.cancelled = True
            for process in self._processes:
                process.kill()
        self._may_go_on.set()

    def wait(self) -> None:
        """Return when a frame may be begun. Raises Cancelled."""
        self._may_go_on.wait()
        self.raise_if_cancelled()

    def raise_if_cancelled(self) -> None:
        if self.cancelled:
            raise Cancelled("the rendering was cancelled; every whole frame is kept")
