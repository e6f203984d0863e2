"""How far a long command is: a bar for people, or lines for a program where BLEMISH_PROGRESS=lines is set."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from procgen.errors import Stopped

Progress = Callable[[str, int, int], None]  # told what is being done, how much of it is, and of how much
PROGRESS_MARK = "blemish-progress "  # followed by what is being done, how much is, and of how much, as JSON


def untold(what: str, done: int, total: int) -> None:
    """Tell nobody, as workers elsewhere do of what is within a task."""


def told_to_program() -> bool:
    """Whether a program reads along, as Blender's panel does."""
    return os.environ.get("BLEMISH_PROGRESS") == "lines"


def tell_program(what: str, done: int, total: int) -> None:
    """One line that a program can read."""
    print(f"{PROGRESS_MARK}{json.dumps([what, done, total])}", file=sys.stderr, flush=True)


def print_progress(what: str, done: int, total: int) -> None:
    """A line for every hundredth of a stage, for a log."""
    if done % max(1, total // 100) == 0 or done == total:
        print(f"{what} {done}/{total}", flush=True)


@contextmanager
def shown(stopped: str, unit: str | None = None) -> Iterator[Progress]:
    """What to call with a stage's name, how much of it is done and of how much.

    stopped: what `Stopped` says when the command is interrupted, which then ends in that one line. unit: of what is
    counted, to show how many are done a second.
    """
    if told_to_program():
        yield tell_program
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *([TextColumn("{task.fields[rate]}")] if unit else []),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    tasks: dict[str, Any] = {}
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as bars:

            def report(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(what, total=total, rate="")
                bars.update(tasks[what], completed=done)
                task = bars.tasks[bars.task_ids.index(tasks[what])]
                speed = task.finished_speed or task.speed
                bars.update(tasks[what], rate=f"{speed:.1f} {unit}/s" if speed else "")

            yield report
    except KeyboardInterrupt:
        raise Stopped(stopped) from None
