"""How far a long command is: a bar for people, or lines for a program where BLEMISH_PROGRESS=lines is set."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

INTERRUPTED = 130
PROGRESS_MARK = "blemish-progress "  # followed by what is being done, how much is, and of how much, as JSON


@contextmanager
def shown(stopped: str) -> Iterator[Callable[[str, int, int], None]]:
    """What to call with a stage's name, how much of it is done and of how much.

    stopped: what is said when the command is interrupted, which then ends in that one line.
    """
    if os.environ.get("BLEMISH_PROGRESS") == "lines":
        yield lambda what, done, total: print(
            f"{PROGRESS_MARK}{json.dumps([what, done, total])}", file=sys.stderr, flush=True
        )
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
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    tasks: dict[str, Any] = {}
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as bars:

            def report(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(what, total=total)
                bars.update(tasks[what], completed=done)

            yield report
    except KeyboardInterrupt:
        typer.echo(stopped, err=True)
        raise typer.Exit(INTERRUPTED) from None
