"""A command of another Python environment that goes on beside Blender's window."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from blender_addon.ui.runs import Phase, Run
from procgen.errors import BlemishError
from scenes.jobs.child_process import CHILD_PROGRAM
from scenes.jobs.progress import PROGRESS_MARK

LINES_KEPT = 12  # the last that a command printed


class CommandError(BlemishError):
    """A command of the external environment that failed; the message is what it said."""


class CommandRun(Run):
    """A command of another Python environment; its lines tell how it goes.

    arguments: the whole command line. The command ends when this process does, for its standard input is held open by
    it and watched by `CHILD_PROGRAM`. summary: makes the closing sentence from all that was printed. well: the exit
    codes that tell of no failure. before: command lines, by what they do, that have to be through with first.
    """

    def __init__(
        self,
        title: str,
        folder: Path,
        arguments: Sequence[str],
        summary: Callable[[Sequence[str]], str] = lambda lines: lines[-1] if lines else "done",
        well: Collection[int] = (0,),
        before: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        super().__init__(title, folder)
        self._before = before
        self._well = well
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
        for what, arguments in self._before.items():
            self._set(message=what)
            self._run(arguments, (0,))
        return self._summary(self._run(self.arguments, self._well))

    def _run(self, arguments: Sequence[str], well: Collection[int]) -> tuple[str, ...]:
        """Run a command to its end, and give the last lines that it printed. Raises CommandError, Cancelled."""
        from blender_addon.workers.control import Cancelled

        lines: deque[str] = deque(maxlen=LINES_KEPT)
        with self._lock:
            if self._cancelled:
                raise Cancelled(f"{self.title} was cancelled")
            self._process = process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=external_environment(os.environ),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        assert process.stdin is not None
        assert process.stdout is not None
        self._start_watch()
        self._set(phase=Phase.RUNNING)
        with process.stdin, process.stdout:
            for line in process.stdout:
                if line.startswith(PROGRESS_MARK):
                    self._note_progress(line.removeprefix(PROGRESS_MARK))
                elif line.strip():
                    lines.append(line.rstrip())
            code = process.wait()
        if self._cancelled:
            raise Cancelled(f"{self.title} was cancelled; what is finished is kept, and the same again goes on from it")
        if code not in well:
            marks = ("blemish: ", "ERROR: ")  # of Blemish's own errors, and of pip's
            errors = [line.removeprefix(mark) for line in lines for mark in marks if line.startswith(mark)]
            told = "\n".join(errors or list(lines)[-1:])
            raise CommandError(told or f"{self.title} stopped with exit code {code} and said nothing")
        return tuple(lines)

    def _note_progress(self, text: str) -> None:
        with suppress(ValueError, TypeError):  # of a newer Blemish, say; not worth ending the run for
            what, done, total = json.loads(text)
            with self._lock:
                if what != self._state.message:  # the next piece of work has its own pace
                    self._active, self._since = 0.0, time.monotonic()
            self._set(message=str(what), done=int(done), total=int(total))


def as_child_process(python: Path, *arguments: str) -> list[str]:
    """The command line that runs `blemish ARGUMENTS` in the environment of this Python; see
    `scenes.jobs.child_process`."""
    return [str(python), "-P", "-c", CHILD_PROGRAM, *arguments]  # -P: not what lies in the current folder


def external_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that shall see nothing of Blender's own Python, and report its progress."""
    inside = {"PYTHONHOME", "PYTHONPATH", "PYTHONNOUSERSITE", "PYTHONSTARTUP"}
    kept = {name: value for name, value in environment.items() if name not in inside}
    return {**kept, "BLEMISH_PROGRESS": "lines", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
