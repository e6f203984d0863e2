"""Small work for executors: pure functions of their tasks, with workers that die, fail or take their time."""

from __future__ import annotations

import os
import signal
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from procgen.errors import BlemishError, BlemishNote
from scenes.jobs.executor import Place, Simple, Worker


@dataclass(frozen=True)
class Squares:
    """Squares of numbers. begun: a folder that a file with the worker's process id is left in for every task begun.

    deadly: tasks that kill their worker so many times. slow: seconds that a task takes, by task.
    """

    begun: Path
    deadly: tuple[tuple[int, int], ...] = ()
    slow: tuple[tuple[int, float], ...] = ()
    refused: int | None = None
    broken: int | None = None

    has_own_process = False

    def open(self, place: Place) -> Worker[int, int]:
        return Simple(self._square)

    def _square(self, task: int) -> int:
        tries = len(list(self.begun.glob(f"{task}-*")))
        (self.begun / f"{task}-{tries}").write_text(str(os.getpid()))
        if tries < dict(self.deadly).get(task, 0):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(dict(self.slow).get(task, 0))
        if task == self.refused:
            raise BlemishError(f"task {task} cannot be done")
        if task == self.broken:
            raise ZeroDivisionError(f"task {task} is a mistake")
        if task % 10 == 7:
            warnings.warn("tasks that end in 7 are odd", BlemishNote, stacklevel=2)
        return task * task
