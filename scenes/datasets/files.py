"""Files that are there whole or not at all, whatever interrupts their writer, and JSON in them."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scenes.datasets.errors import DatasetError

LOCK, HOLDER = ".blemish.lock", ".blemish.lock.json"  # of the one writer at work in a folder: see `lock`
_TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")
_ERRNO_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again, whole frames are kept",
    errno.EDQUOT: "your disk quota is used up; free some space and run the same command again, whole frames are kept",
    errno.EACCES: "not allowed to write here; choose a folder that you may write to",
    errno.EPERM: "not allowed to write here; choose a folder that you may write to",
    errno.EROFS: "this file system can only be read; choose a folder that you may write to",
    errno.ENOENT: "the folder it belongs in does not exist; make that first",
    errno.ENOTDIR: "part of this path is a file; choose another folder",
}


def write_atomically(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Make a file appear under its name complete and on the disk, or not at all; chunks are written as they come.

    Raises DatasetError where the disk does not take it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with explained(path):
        try:
            with temporary.open("wb") as file:
                for chunk in [content] if isinstance(content, bytes) else content:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)  # the new name is on the disk only when its folder is
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def is_temporary(name: str) -> bool:
    """Whether a file's name is one that `write_atomically` gives until the file is whole, or of the writer's lock."""
    return name in (LOCK, HOLDER) or bool(_TEMPORARY.fullmatch(name))


def remove_leftovers(folder: Path, even_of_the_living: bool = False) -> None:
    """Remove the temporary files of writers that were killed; of other processes at work only if told to."""
    for entry in folder.iterdir():
        match = _TEMPORARY.fullmatch(entry.name)
        if match and (even_of_the_living or int(match[1]) == os.getpid() or not _is_running(int(match[1]))):
            entry.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it runs, as somebody else
    return True


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals while writing into DatasetError."""
    try:
        yield
    except OSError as error:
        refused = f"cannot be written ({error.strerror or error}); choose another folder"
        reason = _ERRNO_ADVICE.get(error.errno or 0, refused)
        raise DatasetError(f"{path}: {reason}") from None


def as_json(value: object) -> bytes:
    """A value as a JSON file's content."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> object:
    """What a JSON file says. Raises DatasetError."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise DatasetError(f"{path}: truncated or damaged, not JSON; restore it or write the dataset anew") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from None
