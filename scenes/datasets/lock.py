"""One writer at a time in an output folder, whichever process of whichever machine it is."""

from __future__ import annotations

import json
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import wraps
from pathlib import Path
from platform import node
from typing import Any, ParamSpec

from procgen.errors import BlemishNote
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import HOLDER, LOCK, as_json, explained, remove_leftovers, write_atomically
from scenes.files import content_of

Command = ParamSpec("Command")
PATIENCE = 0.2  # s, for one that is about to leave, and for the note of who came


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Keep every other writer out of a folder, which is made where there is none; the same thread may enter it again.

    The system takes the lock away when the process ends, however it ends. On a file system without such locks a file
    serves, which another machine cannot tell from that of a writer that was killed. Raises DatasetError, which says who
    is at work there, at once.
    """
    from filelock import FileLock, Timeout

    path = Path(folder)
    made = _made(path)  # by this very call
    place = path.resolve()  # however the folder is spelt
    lock = FileLock(place / LOCK, is_singleton=True)
    inner = lock.is_locked
    with explained(path):
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            at_work = _described(_holder(place))
            raise DatasetError(
                f"{path}: {at_work} is writing there; wait until it ends, or choose another folder"
            ) from None
    try:
        if not inner:
            _warn_of_another_host(path, _holder(place))
            remove_leftovers(place, even_of_the_living=True)  # none lives that may write here
            write_atomically(place / HOLDER, as_json(_ourselves()))
        yield
    finally:
        if not inner:
            (place / HOLDER).unlink(missing_ok=True)
            with suppress(OSError):  # of Windows, where no open file goes
                (place / LOCK).unlink()
        lock.release()
        if made:
            with suppress(OSError):  # not empty: something came of it
                path.rmdir()


def one_writer(command: Callable[Command, None]) -> Callable[Command, None]:
    """A command that keeps other writers out of its `out` from beginning to end; where that is None, writes nothing."""

    @wraps(command)
    def alone(*args: Command.args, **options: Command.kwargs) -> None:
        out = options.get("out")
        with locked(out) if isinstance(out, Path) else nullcontext():
            command(*args, **options)

    return alone


def _made(folder: Path) -> bool:
    """Make the folder; whether it was not there."""
    with explained(folder):
        if folder.exists() and not folder.is_dir():
            raise DatasetError(f"{folder}: found a file; expected a folder to write into; choose another --out")
        there = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
    return not there


def _ourselves() -> dict[str, Any]:
    program = Path(sys.argv[0]).name or "python"
    return {"process": os.getpid(), "host": node(), "command": shlex.join([program, *sys.argv[1:]])}


def _holder(folder: Path) -> dict[str, Any]:
    """What the note says of who holds the lock, or held it and was killed; empty where there is none."""
    try:
        said = json.loads(content_of(folder / HOLDER))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _described(holder: dict[str, Any]) -> str:
    if not holder:
        return "another process"
    return f"process {holder.get('process')} on {holder.get('host')} ({holder.get('command')})"


def _warn_of_another_host(path: Path, left: dict[str, Any]) -> None:
    """Say that a lock may not reach as far as another machine, whose note was left here."""
    if left.get("host") not in (None, node()):
        warnings.warn(
            f"{path}: {_described(left)} was killed while it wrote there, or still does, where this file system does "
            "not carry locks from machine to machine; see that it has ended",
            BlemishNote,
            stacklevel=4,
        )
