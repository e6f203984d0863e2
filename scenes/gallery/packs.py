"""The files of a page: a few that hold many frames each, made once and known by what they were made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from scenes.datasets.files import is_temporary, seal_of, sealed, write_atomically
from scenes.datasets.reader import Dataset
from scenes.datasets.schema import SCENES
from scenes.files import content_of
from scenes.jobs.progress import Progress

FRAMES = 128  # of a pack
MEASURED = "measured"
Made = tuple[dict[str, Any], dict[str, Any]]  # what is measured of a pack, and what the page loads of it, by its folder


def packs_of(dataset: Dataset) -> Iterator[tuple[str, Sequence[int]]]:
    """The names of a dataset's packs, and the positions of their frames."""
    for number, start in enumerate(range(0, len(dataset), FRAMES)):
        yield f"{number:04d}", range(start, min(start + FRAMES, len(dataset)))


def made_of(dataset: Dataset, positions: Sequence[int], settings: object) -> str:
    """What tells whether a pack is of these very frames, and was made with these settings."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for position in positions:
        index = dataset.indices[position]
        digest.update(b"%d" % index + content_of(dataset.path / SCENES / f"{index:06d}.json"))
    return digest.hexdigest()


def packed(
    dataset: Dataset,
    folder: Path,
    settings: object,
    make: Callable[[Sequence[int]], Made],
    what: str,
    progress: Progress,
) -> list[dict[str, Any]]:
    """What is measured of every pack in order, each with the names of the `files` that the page loads of it.

    A pack that is there from an earlier run, of the same frames and settings, is not made again. make: from positions
    of frames. Raises DatasetError where the disk does not take the files.
    """
    every = []
    (folder / MEASURED).mkdir(parents=True, exist_ok=True)
    for name, positions in packs_of(dataset):
        key = made_of(dataset, positions, settings)
        path = folder / MEASURED / f"{name}.json"
        known = _known(path, folder, key)
        if known is None:
            measured, loaded = make(positions)
            files = {kind: _written(folder, kind, name, value) for kind, value in loaded.items()}
            known = {"made_of": key, "files": files, **measured}
            write_atomically(path, sealed(known))
        every.append(known)
        progress(what, positions[-1] + 1, len(dataset))
    return every


def _known(path: Path, folder: Path, key: str) -> dict[str, Any] | None:
    """What an earlier run measured of a pack; None where it is of other frames, damaged, or its files are not there."""
    try:
        content = content_of(path)
        known = json.loads(content)
        if seal_of(content) != "whole" or known["made_of"] != key:
            return None
        for kind, name in known["files"].items():
            if _digest(content_of(folder / kind / name)) != name.split("-")[1].removesuffix(".js"):
                return None
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
    return dict(known)


def _written(folder: Path, kind: str, name: str, value: object) -> str:
    """Write what the page loads of a pack, as a script that hands it over, and give the file's name."""
    content = f"pack({json.dumps(f'{folder.name}/{kind}/{name}')}, {json.dumps(value, allow_nan=False)});\n".encode()
    file = f"{name}-{_digest(content)}.js"
    (folder / kind).mkdir(exist_ok=True)
    write_atomically(folder / kind / file, content)
    return file


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def clear(folder: Path, packs: Sequence[dict[str, Any]]) -> None:
    """Remove from a folder what no pack of its page names, left by earlier frames and settings."""
    named = {f"{kind}/{name}" for pack in packs for kind, name in pack["files"].items()}
    named |= {f"{MEASURED}/{number:04d}.json" for number in range(len(packs))}
    for path in folder.glob("*/*"):
        if path.relative_to(folder).as_posix() not in named and not is_temporary(path.name):
            path.unlink()
