"""Work that goes on beside Blender's window, each piece of it followed by a thread of its own.

Nothing here touches `bpy`, and a run knows no object of the scene: it works from a recipe and folders, so that deleting
the part, opening another .blend or undoing does nothing to it. The window looks at `Run.state` from a timer.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from procgen.errors import BlemishError


class Phase(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


ENDED = frozenset({Phase.DONE, Phase.CANCELLED, Phase.FAILED})


@dataclass(frozen=True)
class State:
    """How a run stands. seconds: spent on `done - before` of `total` pieces; message: for its end, or what goes on."""

    phase: Phase = Phase.STARTING
    done: int = 0
    before: int = 0
    total: int = 0
    seconds: float = 0.0
    message: str = ""

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    @property
    def factor(self) -> float:
        """Share that is done, 0..1."""
        return self.done / self.total if self.total else 0.0

    @property
    def seconds_each(self) -> float | None:
        """Seconds a piece took so far."""
        fresh = self.done - self.before
        return self.seconds / fresh if fresh else None

    @property
    def seconds_left(self) -> float | None:
        each = self.seconds_each
        return None if each is None else each * (self.total - self.done)


class Run:
    """One piece of work and the thread that follows it. Subclasses say what `_work` is and how it is ended."""

    can_pause = False

    def __init__(self, title: str, folder: Path) -> None:
        self.title = title
        self.folder = folder
        self._lock = threading.Lock()
        self._state = State()
        self._active = 0.0  # seconds at work before the last pause
        self._since: float | None = None  # when it was last set to work
        self._thread = threading.Thread(target=self._follow, name=f"blemish {title}", daemon=True)

    @property
    def state(self) -> State:
        with self._lock:
            return replace(self._state, seconds=self._seconds())

    def start(self) -> None:
        self._thread.start()

    def wait(self, timeout: float | None = None) -> State:
        """Block until it has ended, or for `timeout` seconds."""
        self._thread.join(timeout)
        return self.state

    def pause(self) -> None:
        raise NotImplementedError

    def resume(self) -> None:
        raise NotImplementedError

    def cancel(self) -> None:
        raise NotImplementedError

    def _work(self) -> str:
        """Do it; give the sentence that tells of its end. Raises BlemishError, or OSError, where it cannot."""
        raise NotImplementedError

    def _follow(self) -> None:
        from blender_addon.workers.control import Cancelled

        try:
            phase, message = Phase.DONE, self._work()
        except Cancelled as cancelled:
            phase, message = Phase.CANCELLED, str(cancelled)
        except BlemishError as error:
            phase, message = Phase.FAILED, in_panel_terms(str(error))
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            phase, message = Phase.FAILED, f"{place}{error.strerror or error}"
        except Exception as error:  # a mistake of ours, told as one rather than lost with the thread
            phase, message = Phase.FAILED, f"a mistake in Blemish ({type(error).__name__}: {error}); please report it"
        self._stop_watch()
        self._set(phase=phase, message=message)

    def _set(self, **changes: object) -> None:
        with self._lock:
            self._state = replace(self._state, **changes)  # type: ignore[arg-type]

    def _start_watch(self) -> None:
        with self._lock:
            self._since = self._since or time.monotonic()

    def _stop_watch(self) -> None:
        with self._lock:
            self._active, self._since = self._seconds(), None

    def _seconds(self) -> float:
        return self._active + (time.monotonic() - self._since if self._since else 0.0)


# What the command line advises, as the panel's buttons and fields are called.
PANEL_TERMS = {
    "run the same command again": "press Resume",
    "with fewer --workers": "with fewer Processes",
    "use --device cpu": "choose the processor in the preferences",
}


def in_panel_terms(message: str) -> str:
    """A sentence of the command line's, said for those who sit before the panel."""
    for shell, panel in PANEL_TERMS.items():
        message = message.replace(shell, panel)
    return message


def duration_text(seconds: float) -> str:
    """A duration as people say it: 4.2 s, 1 min 20 s, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 and whole % 60 else f"{round(whole / 60)} min"
    hours, minutes = divmod(round(whole / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{round(hours / 24)} days"


def status_line(run: Run) -> str:
    """One line on how a run stands, short enough for a status bar."""
    state = run.state
    count = f"{state.done} of {state.total}" if state.total else ""
    if state.phase is Phase.STARTING:
        return f"{run.title}: starting"
    if state.phase is Phase.PAUSED:
        return f"{run.title}: paused at {count}" if count else f"{run.title}: paused"
    if state.ended:
        return f"{run.title}: {state.phase}"
    left = state.seconds_left
    parts = [count, f"{duration_text(left)} left" if left is not None and state.done < state.total else ""]
    return f"{run.title}: " + ", ".join(part for part in (state.message, *parts) if part)
