"""What is inspected: files of pictures, folders of them, videos and cameras, one picture after another."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from procgen.errors import BlemishError, BlemishNote
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import is_temporary, sha256_of
from scenes.pictures.decoding import measure
from scenes.pictures.errors import PictureError
from scenes.pictures.on_disk import Rows
from scenes.pictures.reading import (
    SUFFIXES,
    ReadingOptions,
    check_readable,
    is_hidden,
    pictures_in,
    read_picture,
    with_white_level,
)

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
CAMERA = re.compile(r"camera:(\d+)")
POLL = 0.25  # s between two looks at a watched folder
SETTLED = 0.5  # s that a file must stay as it is before it is read
PATIENCE = 10.0  # s after which a file that stays as it is and cannot be read is named
FAILURES = 50  # frames in a row that a camera may fail to give, before it counts as gone


class SourceError(BlemishError):
    """Something to inspect that is not there, or is nothing that can be inspected."""


Seen = tuple[Rows, Rows | None]  # RGB (H, W, 3), and where it shows the surface; None: everywhere
Known = Callable[[str, str], bool]  # whether a picture of this name and digest has its verdict


@dataclass(frozen=True)
class Picture:
    """One picture to inspect. name: what verdicts call it; sha256: of the file it comes from, "" where there is none.

    read: its pixels; raises PictureError.
    """

    name: str
    sha256: str
    read: Callable[[], Seen]


@dataclass(frozen=True)
class Sources:
    """files: in the order in which they are inspected; of those, videos; cameras: by index.

    scratch: folder on whose disk large pictures lie while they are inspected.
    """

    files: tuple[Path, ...]
    cameras: tuple[int, ...]
    options: ReadingOptions
    scratch: Path | None = None


def found_sources(written: Sequence[str], options: ReadingOptions, scratch: Path | None = None) -> Sources:
    """What the words stand for: files, the pictures and videos right in a folder, and camera:0 and the like.

    Pictures of more than 8 bits get one white level, found on all of them where none is given. Raises SourceError for
    what is not there, and for a folder without any.
    """
    files: dict[Path, None] = {}
    cameras = []
    for word in written:
        path = Path(word)
        if camera := CAMERA.fullmatch(word):
            cameras.append(int(camera[1]))
        elif path.is_dir():
            inside = [file for file in sorted(path.iterdir()) if is_video(file) and not is_hidden(file)]
            files |= dict.fromkeys(sorted([*pictures_in(path), *inside]) or _refuse_empty(path))
        elif path.is_file():
            files[path] = None
        else:
            raise SourceError(f"{word}: is missing; give pictures, folders of them, videos, or a camera as camera:0")
    readable = [path for path in files if not is_video(path) and _measurable(path, options)]
    what = ", ".join(written[:3]) + (" …" if len(written) > 3 else "")
    return Sources(tuple(files), tuple(cameras), with_white_level(readable, options, what), scratch)


def called(path: Path) -> str:
    """What verdicts call a file: its path, with what is no UTF-8 in it written out."""
    return str(path).encode(errors="backslashreplace").decode()


def is_video(path: Path) -> bool:
    """Whether a file's suffix is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def pictures_of(sources: Sources, every: int, known: Known, wanted: Callable[[int], None]) -> Iterator[Picture]:
    """The pictures that have no verdict yet: files, then cameras without end, of films each `every`-th frame.

    wanted: told how many more are to come, as they are found, and -1 for each that has its verdict.
    """
    wanted(sum(not is_video(path) for path in sources.files))
    for path in sources.files:
        if is_video(path):
            yield from _frames(path, every, known, wanted)
        elif known(called(path), digest := sha256_or_none(path)):
            wanted(-1)
        else:
            yield picture_file(path, digest, sources.options, sources.scratch)
    for index in sources.cameras:
        yield from _camera(index, every)


def picture_file(path: Path, sha256: str, options: ReadingOptions, scratch: Path | None = None) -> Picture:
    """A file as a picture to inspect."""
    return Picture(called(path), sha256, lambda: read_picture(path, options, folder=scratch))


def watched(
    folder: Path, options: ReadingOptions, known: Known, scratch: Path | None = None
) -> Iterator[Picture | None]:
    """The pictures of a folder, and those that come into it, each when it is wholly written; None while none is.

    A file counts as written when it has not changed for a while and can be decoded; one that never can is given all the
    same, for its error to be told. Raises SourceError where the folder is none.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: is no folder; make it, or watch another")
    done: dict[Path, tuple[int, int]] = {}
    waiting: dict[Path, tuple[tuple[int, int], float]] = {}  # what its stat was, and since when
    while True:
        found = False
        for path in (file for file in pictures_in(folder) if not is_temporary(file.name)):
            try:
                now = (path.stat().st_mtime_ns, path.stat().st_size)
            except OSError:  # gone again
                continue
            if done.get(path) == now:
                continue
            before, since = waiting.get(path, ((-1, -1), 0.0))
            if before != now:
                waiting[path] = (now, time.monotonic())
                continue
            age = time.monotonic() - since
            if age < SETTLED or (age < PATIENCE and not _readable(path, options)):
                continue
            done[path] = now
            del waiting[path]
            digest = sha256_or_none(path)
            if not known(called(path), digest):
                found = True
                yield Picture(called(path), digest, lambda path=path: _read_watched(path, options, scratch))  # type: ignore[misc]
        if not found:
            yield None
            time.sleep(POLL)


def sha256_or_none(path: Path) -> str:
    """SHA-256 of a file, "" where it cannot be read."""
    try:
        return sha256_of(path)
    except DatasetError:
        return ""


def _read_watched(path: Path, options: ReadingOptions, scratch: Path | None) -> Seen:
    return read_picture(path, _of_watched(path, options), folder=scratch)


def _of_watched(path: Path, options: ReadingOptions) -> ReadingOptions:
    if options.white_level is None and measure(path, options.most_pixels).deep:
        if options.learnt is None:
            raise PictureError(f"{path}: has more than 8 bits; say what white is with --white-level")
        options = replace(options, white_level=options.learnt)
    return options


def _readable(path: Path, options: ReadingOptions) -> bool:
    try:
        check_readable(path, _of_watched(path, options))
    except PictureError:
        return False
    return True


def _measurable(path: Path, options: ReadingOptions) -> bool:
    try:
        if measure(path, options.most_pixels).deep:
            check_readable(path, ReadingOptions(options.white_level or 65535.0, options.most_pixels))
    except PictureError:
        return False
    return True


def _refuse_empty(folder: Path) -> list[Path]:
    inside = [path.name for path in sorted(folder.iterdir()) if path.is_dir() and pictures_in(path)]
    hint = f"; there are some in {', '.join(inside[:3])}: name such a folder" if inside else ""
    raise SourceError(f"{folder}: holds no picture ({', '.join(SUFFIXES)}) and no video{hint}")


def _frames(path: Path, every: int, known: Known, wanted: Callable[[int], None]) -> Iterator[Picture]:
    import cv2

    film = cv2.VideoCapture(str(path))
    try:
        announced = int(film.get(cv2.CAP_PROP_FRAME_COUNT))
        digest = sha256_or_none(path)
        if film.isOpened() and announced > 0:
            wanted(-(-announced // every))
        number = -1
        while film.grab():
            number += 1
            name = f"{called(path)}#{number}"
            if number % every:
                continue
            if known(name, digest):
                wanted(-1)
            else:
                yield Picture(name, digest, lambda: _retrieved(film, name))  # noqa: B023, read before the next
        if number < 0:
            name = called(path)
            yield Picture(name, digest, lambda: _refused(f"{name}: is no video that can be read; convert it"))
        elif number + 1 < announced:
            note = f"{path}: says that it has {announced} frames, {number + 1} could be read; it may be cut short"
            warnings.warn(note, BlemishNote, stacklevel=2)
    finally:
        film.release()


def _camera(index: int, every: int) -> Iterator[Picture]:
    import cv2

    camera = cv2.VideoCapture(index)
    try:
        if not camera.isOpened():
            raise SourceError(f"camera:{index}: there is no such camera, or another program has it; try camera:0")
        number, failed = -1, 0
        while failed < FAILURES:
            if not camera.grab():
                failed += 1
                continue
            number, failed = number + 1, 0
            if number % every == 0:
                name = f"camera:{index}#{number}"
                yield Picture(name, "", lambda: _retrieved(camera, name))  # noqa: B023, read before the next
        raise SourceError(f"camera:{index}: gives no more pictures; look at its cable")
    finally:
        camera.release()


def _retrieved(film: Any, name: str) -> Seen:
    whole, frame = film.retrieve()
    if not whole:
        _refused(f"{name}: is damaged; record it again")
    return np.ascontiguousarray(frame[..., ::-1]), None


def _refused(message: str) -> Seen:
    raise PictureError(message)
