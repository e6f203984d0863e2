"""Folders that are URLs: fetched before they are read; once they are written, stored whole or not at all.

    CACHE/DIGEST/NAME         the copy of s3://BUCKET/…/NAME on this machine; commands work in it as in any folder
    CACHE/DIGEST/known.json   which objects it was compared with

What is written goes there in an order in which nobody ever sees half of it: first a note of what is to come, then
all files, then those by which a folder is known, such as dataset.json; then what is no longer part of it goes, and the
note.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from procgen.errors import BlemishError
from scenes.datasets.files import as_json, is_temporary, write_atomically
from scenes.datasets.lock import locked

URL = re.compile(r"(s3|s3a|gs|gcs|az|abfs|abfss|hdfs|sftp|file|memory)://.+")
OUTPUTS = ("--out", "--cache")  # options whose folders are written
STORING = ".blemish.storing.json"  # the note, of the names of what is to come
PLACE = "BLEMISH_CACHE"
AT_ONCE = 256  # files that are asked for together
EXTRA = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs"}


class UrlError(BlemishError):
    """A URL that cannot be read from or written to."""


def cache_folder() -> Path:
    """Where copies lie."""
    given = os.environ.get(PLACE)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(home) / "blemish"


@contextmanager
def localised(arguments: Sequence[str], indexes: Iterable[str]) -> Iterator[list[str]]:
    """A command line with local copies in the place of URLs; what an option of `OUTPUTS` names is stored at the end.

    indexes: names of the files by which a written folder is known, as paths from it. An error, or a stop, stores
    nothing: the same command goes on with the copy. Raises UrlError.
    """
    outputs: list[RemoteFolder] = []
    with ExitStack() as stack:
        words: list[str] = []
        for before, word in zip(("", *arguments), arguments, strict=False):
            option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
            if not URL.fullmatch(value):
                words.append(word)
                continue
            remote = RemoteFolder(value, tuple(indexes))
            if (option or before) in OUTPUTS:
                stack.enter_context(locked(remote.place.parent))
                remote.fetch_begun()
                outputs.append(remote)
            else:
                with locked(remote.place.parent):
                    remote.fetch()
            words.append(f"{option}{equals}{remote.place}")
        yield words
        for remote in outputs:
            if remote.place.exists():
                remote.store()


@dataclass(frozen=True)
class RemoteFolder:
    """A folder, or a single file, at a URL, and its copy here."""

    url: str
    indexes: tuple[str, ...]

    @property
    def place(self) -> Path:
        """Of the copy."""
        digest = hashlib.sha256(self.url.rstrip("/").encode()).hexdigest()[:16]
        return cache_folder() / digest / (PurePosixPath(self.url).name or "root")

    def fetch(self) -> None:
        """Make the copy as it is there. Raises UrlError where nothing is there, or not yet whole."""
        with self._told("read"):
            there = self._listed()
            if not there:
                raise UrlError(f"{self.url}: found nothing there; expected a file or a folder")
            if STORING in there and not self._is_known_by(there):
                raise UrlError(f"{self.url}: is being written, or its writer was stopped; wait, or run that one again")
            self._bring(there)

    def fetch_begun(self) -> None:
        """Make the copy as it is there, to go on with it; what was begun here of the very same stays.

        Raises UrlError where something else is there.
        """
        with self._told("read"):
            there = self._listed()
            known = self._known()
            if known["storing"] or there == known["files"]:
                return
            if STORING in there and not self._is_known_by(there):
                there = {}  # what one that was stopped has left is overwritten
            elif there and not self._is_known_by(there):
                raise UrlError(
                    f"{self.url}: found other files and none of {', '.join(self.indexes)}; expected nothing there, or "
                    "what Blemish wrote"
                )
            self._bring(there)

    def store(self) -> None:
        """Put what the copy holds there. Raises UrlError; then nobody sees it, and the same command puts it again."""
        with self._told("written"):
            before = self._known()["files"]
            ours = {
                path.relative_to(self.place).as_posix(): path
                for path in sorted(self.place.rglob("*"))
                if path.is_file() and not is_temporary(path.name)
            }
            self._know(before, storing=True)
            files, root = self._files(), self._root()
            left = self._left_by_others(files, root)
            files.pipe_file(f"{root}/{STORING}", as_json(sorted(ours)))
            sizes = {name: entry["size"] for name, entry in self._found().items()}
            stamps = self._stamps()
            changed = [
                name
                for name, path in ours.items()
                if name not in before or sizes.get(name) != path.stat().st_size or stamps.get(name) != _stamp(path)
            ]
            for batch in self._in_order(changed):
                files.put([str(ours[name]) for name in batch], [f"{root}/{name}" for name in batch])
            gone = [name for name in {*before, *left} if name not in ours and name in sizes]
            for name in [*gone, STORING]:
                files.rm_file(f"{root}/{name}")
            self._know(self._listed(), storing=False)

    def _in_order(self, names: Iterable[str]) -> Iterator[list[str]]:
        """In batches; files by which a folder is known come last, those of the folders within before its own."""

        def rank(name: str) -> int:
            depths = [name.count("/") - index.count("/") for index in self.indexes if f"/{name}".endswith(f"/{index}")]
            return -max(depths) if depths else -(1 << 20)

        by_rank: dict[int, list[str]] = {}
        for name in names:
            by_rank.setdefault(rank(name), []).append(name)
        for _, some in sorted(by_rank.items()):
            for first in range(0, len(some), AT_ONCE):
                yield some[first : first + AT_ONCE]

    def _is_known_by(self, there: Mapping[str, str]) -> bool:
        return any(index in there for index in self.indexes)

    def _bring(self, there: Mapping[str, str]) -> None:
        """Have the copy hold these objects and no others."""
        known = self._known()["files"]
        kept = {name for name, mark in there.items() if known.get(name) == mark and self._path(name).is_file()}
        if self.place.is_dir():
            for path in sorted(self.place.rglob("*"), reverse=True):
                if path.is_dir():
                    if not any(path.iterdir()):
                        path.rmdir()
                elif path.relative_to(self.place).as_posix() not in kept:
                    path.unlink()
            if not there:
                shutil.rmtree(self.place)
        self._know({name: there[name] for name in kept}, storing=False)
        files, root = self._files(), self._root()
        missing = sorted(name for name in there if name not in kept and name != STORING)
        for name in missing:
            self._path(name).parent.mkdir(parents=True, exist_ok=True)
        for first in range(0, len(missing), AT_ONCE):
            some = missing[first : first + AT_ONCE]
            files.get([f"{root}/{name}" if name else root for name in some], [str(self._path(name)) for name in some])
        self._know({name: mark for name, mark in there.items() if name != STORING}, storing=False)

    def _path(self, name: str) -> Path:
        path = self.place / name if name else self.place
        if not path.resolve().is_relative_to(self.place.parent.resolve()):
            raise UrlError(f"{self.url}: found the name {name}, which leads out of it; expected names of files in it")
        return path

    def _listed(self) -> dict[str, str]:
        """Names of all objects there, "" of a single file, with what changes when they do."""
        return {
            name: str(entry.get("ETag") or [entry.get("size"), entry.get("mtime")])
            for name, entry in self._found().items()
        }

    def _found(self) -> dict[str, dict[str, Any]]:
        files, root = self._files(), self._root()
        files.invalidate_cache()
        found = files.find(root, detail=True)
        return {name.removeprefix(root).lstrip("/"): entry for name, entry in found.items()}

    @staticmethod
    def _left_by_others(files: Any, root: str) -> list[str]:
        """What a writer that was stopped meant to put there."""
        try:
            return [str(name) for name in json.loads(files.cat_file(f"{root}/{STORING}"))]
        except (OSError, ValueError):
            return []

    def _files(self) -> Any:
        import fsspec

        return fsspec.url_to_fs(self.url)[0]

    def _root(self) -> str:
        import fsspec

        return str(fsspec.url_to_fs(self.url)[1]).rstrip("/")

    def _known(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.place.parent / "known.json").read_bytes()))
        except (OSError, ValueError):
            return {"storing": False, "files": {}, "stamps": {}}

    def _stamps(self) -> dict[str, list[int]]:
        return dict(self._known()["stamps"])

    def _know(self, there: Mapping[str, str], *, storing: bool) -> None:
        self.place.parent.mkdir(parents=True, exist_ok=True)
        stamps = {name: _stamp(self._path(name)) for name in there if self._path(name).is_file()}
        if storing:
            stamps = self._stamps()
        known = {"storing": storing, "files": dict(there), "stamps": stamps}
        write_atomically(self.place.parent / "known.json", as_json(known))

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn whatever a file system's library raises into UrlError."""
        try:
            yield
        except (BlemishError, KeyboardInterrupt):
            raise
        except ImportError:
            library = EXTRA.get(self.url.partition(":")[0], "fsspec")
            raise UrlError(f"{self.url}: needs the library {library}; pip install {library}") from None
        except Exception as error:  # each library has errors of its own
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UrlError(f"{self.url}: cannot be {what} ({reason}); see that it is there and that you may") from None


def _stamp(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]
