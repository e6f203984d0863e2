"""Files that are there whole or not at all, whatever interrupts their writer, and JSON in them, with its own digest."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from scenes.datasets.errors import DatasetError
from scenes.files import content_of, opened

LOCK, HOLDER = ".blemish.lock", ".blemish.lock.json"  # of the one writer at work in a folder: see `lock`
Seal = Literal["none", "whole", "broken"]  # none: of a file that an earlier Blemish wrote
END = b"\n}\n"
SEAL = b',\n "sha256": "%s"\n}\n'
_SEAL = re.compile(rb',\n "sha256": "([0-9a-f]{64})"\n\}\n\Z')
PAGE_SEAL = b"<!-- sha256 %s of all before -->\n"
_PAGE_SEAL = re.compile(rb"<!-- sha256 ([0-9a-f]{64}) of all before -->\n\Z")
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


def sealed(value: Mapping[str, object]) -> bytes:
    """An object as a JSON file's content whose last field is the digest of all before it."""
    return b"".join(sealed_pieces([as_json(value).removesuffix(END)]))


def sealed_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A JSON object that lacks its closing brace, in pieces, closed by the digest of all of it."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    yield SEAL % digest.hexdigest().encode()


def seal_of(content: bytes) -> Seal:
    """Whether the content of a JSON file still has the digest at its end."""
    return _seal(content, _SEAL.search(content, max(0, len(content) - len(SEAL) - 64)))


def sealed_page(text: str) -> bytes:
    """A page of HTML as a file's content, whose last line is the digest of all before it."""
    content = text.encode()
    return content + PAGE_SEAL % hashlib.sha256(content).hexdigest().encode()


def page_seal_of(content: bytes) -> Seal:
    """Whether the content of a page still has the digest in its last line."""
    return _seal(content, _PAGE_SEAL.search(content, max(0, len(content) - len(PAGE_SEAL) - 64)))


def _seal(content: bytes, found: re.Match[bytes] | None) -> Seal:
    if not found:
        return "none"
    return "whole" if hashlib.sha256(content[: found.start()]).hexdigest().encode() == found[1] else "broken"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises DatasetError."""
    try:
        with opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); restore it") from None


def parsed(content: bytes, path: Path) -> object:
    """What the content of a JSON file says. Raises DatasetError."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise DatasetError(f"{path}: truncated or damaged, not JSON; restore it or write the dataset anew") from None


def read_bytes(path: Path) -> bytes:
    """A file's content. Raises DatasetError."""
    try:
        return content_of(path)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from None
