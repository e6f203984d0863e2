"""Work that goes on beside Blender's window: renderings and commands, each followed by a thread of its own.

Nothing here touches `bpy`, and a run knows no object of the scene: it works from a recipe and folders, so that deleting
the part, opening another .blend or undoing does nothing to it. The window looks at `Run.state` from a timer.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from procgen.errors import BlemishError
from scenes.jobs.child_process import CHILD_PROGRAM
from scenes.jobs.progress import PROGRESS_MARK

if TYPE_CHECKING:
    from scenes import Recipe

LINES_KEPT = 12  # of a command's last words


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

    def go(self) -> None:
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
            phase, message = Phase.FAILED, for_panel(str(error))
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


@dataclass(frozen=True)
class Order:
    """What `render_dataset` shall render. options: its further keyword arguments, such as the device."""

    recipe: Recipe
    folder: Path
    frames: int
    seed: int
    samples: int
    workers: int = 1
    options: Mapping[str, object] | None = None


class RenderRun(Run):
    """A dataset being rendered in Blender processes of its own; with a page about it beside its folder, where wished.

    seconds_to_start: from the beginning until the first of them had set its stage; None before.
    """

    can_pause = True

    def __init__(self, title: str, order: Order, *, overview: bool = False) -> None:
        from blender_addon.workers.control import Control

        super().__init__(title, order.folder)
        self.order = order
        self.overview = overview
        self.seconds_to_start: float | None = None
        self._begun = 0.0
        self._control = Control(on_ready=self._on_ready)

    def pause(self) -> None:
        self._control.pause()
        self._stop_watch()
        self._set(phase=Phase.PAUSED)

    def go(self) -> None:
        self._control.go()
        self._start_watch()
        self._set(phase=Phase.RUNNING)

    def cancel(self) -> None:
        self._control.cancel()

    def _work(self) -> str:
        from blender_addon.workers.render import render_dataset
        from scenes.datasets.overview import write_overview

        self._begun = time.monotonic()
        order = self.order
        dataset = render_dataset(
            order.recipe,
            order.folder,
            order.frames,
            order.seed,
            samples=order.samples,
            workers=order.workers,
            on_begin=self._on_begin,
            on_frame=self._on_frame,
            control=self._control,
            **(order.options or {}),  # type: ignore[arg-type]
        )
        if self.overview:
            write_overview(dataset)
        return f"{order.frames} {'frame' if order.frames == 1 else 'frames'} in {order.folder}"

    def _on_begin(self, missing: int) -> None:
        done = self.order.frames - missing
        self._set(done=done, before=done, total=self.order.frames)

    def _on_ready(self) -> None:
        if self.seconds_to_start is None:
            self.seconds_to_start = time.monotonic() - self._begun
        if not self._control.paused:
            self._start_watch()
            self._set(phase=Phase.RUNNING)

    def _on_frame(self, index: int) -> None:
        with self._lock:
            self._state = replace(self._state, done=self._state.done + 1, message=f"frame {index}")


# What the command line advises, as the panel's buttons and fields are called.
PANEL_WORDS = {
    "run the same command again": "press Resume",
    "with fewer --workers": "with fewer Processes",
    "use --device cpu": "choose the processor in the preferences",
}


def for_panel(message: str) -> str:
    """A sentence of the command line's, said for those who sit before the panel."""
    for words, ours in PANEL_WORDS.items():
        message = message.replace(words, ours)
    return message


class CommandError(BlemishError):
    """A command of the external environment that failed; the message is what it said."""


class CommandRun(Run):
    """A command of another Python environment; its lines tell how it goes.

    arguments: the whole command line. The command ends when this process does, for its standard input is held open by
    it and watched by `CHILD_PROGRAM`. summary: makes the closing sentence from all that was printed.
    """

    def __init__(
        self,
        title: str,
        folder: Path,
        arguments: Sequence[str],
        summary: Callable[[Sequence[str]], str] = lambda lines: lines[-1] if lines else "done",
    ) -> None:
        super().__init__(title, folder)
        self.arguments = tuple(arguments)
        self._summary = summary
        self._process: subprocess.Popen[str] | None = None
        self._cancelled = False

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._process is not None:
                self._process.kill()

    def _work(self) -> str:
        from blender_addon.workers.control import Cancelled

        lines: deque[str] = deque(maxlen=LINES_KEPT)
        with self._lock:
            if self._cancelled:
                raise Cancelled(f"{self.title} was cancelled")
            self._process = process = subprocess.Popen(
                self.arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=outside(os.environ),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        assert process.stdin is not None
        assert process.stdout is not None
        self._start_watch()
        self._set(phase=Phase.RUNNING)
        with process.stdin, process.stdout:
            for line in process.stdout:
                if line.startswith(PROGRESS_MARK):
                    self._tell(line.removeprefix(PROGRESS_MARK))
                elif line.strip():
                    lines.append(line.rstrip())
            code = process.wait()
        if self._cancelled:
            raise Cancelled(f"{self.title} was cancelled; what is finished is kept, and the same again goes on from it")
        if code:
            said = [line.removeprefix("blemish: ") for line in lines if line.startswith("blemish: ")] or list(lines)[
                -1:
            ]
            raise CommandError("\n".join(said) or f"{self.title} stopped with exit code {code} and said nothing")
        return self._summary(tuple(lines))

    def _tell(self, text: str) -> None:
        with suppress(ValueError, TypeError):  # of a newer Blemish, say; not worth ending the run for
            what, done, total = json.loads(text)
            with self._lock:
                if what != self._state.message:  # the next piece of work has its own pace
                    self._active, self._since = 0.0, time.monotonic()
            self._set(message=str(what), done=int(done), total=int(total))


def leashed(python: Path, *arguments: str) -> list[str]:
    """The command line that runs `blemish ARGUMENTS` in the environment of this Python; see
    `scenes.jobs.child_process`."""
    return [str(python), "-P", "-c", CHILD_PROGRAM, *arguments]  # -P: not what lies in the current folder


def outside(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that shall see nothing of Blender's own Python, and report its progress."""
    inside = {"PYTHONHOME", "PYTHONPATH", "PYTHONNOUSERSITE", "PYTHONSTARTUP"}
    kept = {name: value for name, value in environment.items() if name not in inside}
    return {**kept, "BLEMISH_PROGRESS": "lines", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


@dataclass(frozen=True)
class Begun:
    """What lies in a dataset's folder: the run that began it, and how far that came."""

    folder: Path
    frames: int
    written: int
    seed: int
    samples: int

    @property
    def missing(self) -> int:
        return self.frames - self.written


def begun(folder: Path) -> Begun | None:
    """The dataset in a folder, finished or not; None where there is none that this Blemish can read."""
    from scenes.datasets.errors import DatasetError
    from scenes.datasets.schema import committed, read_header

    try:
        header = read_header(folder)
        written = len(committed(folder, header.frames))
    except (DatasetError, OSError):
        return None
    samples = header.settings.get("samples")
    return Begun(folder, header.frames, written, header.seed, samples if isinstance(samples, int) else 1)


def taken_up(folder: Path) -> Order:
    """The order that goes on with the dataset in a folder, read from it. Raises DatasetError, RecipeError."""
    from scenes.datasets.schema import HEADER, read_header
    from scenes.recipes.recipe import recipe_from

    header = read_header(folder)
    recipe = recipe_from(header.recipe, str(folder / HEADER))
    samples, device = header.settings.get("samples", 1), header.settings.get("device", "cpu")
    return Order(recipe, folder, header.frames, header.seed, samples, options={"device": device})


def spoken(seconds: float) -> str:
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


def line_about(run: Run) -> str:
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
    parts = [count, f"{spoken(left)} left" if left is not None and state.done < state.total else ""]
    what = state.message if isinstance(run, CommandRun) else ""
    return f"{run.title}: " + ", ".join(part for part in (what, *parts) if part)
