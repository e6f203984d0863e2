"""The files of a page: a few that hold many frames each, made once and known by what they were made of."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from scenes.datasets.files import is_temporary, seal_of, sealed, write_atomically
from scenes.datasets.reader import Dataset
from scenes.datasets.schema import SCENES
from scenes.files import content_of
from scenes.jobs.progress import Progress

FRAMES = 32  # of a pack
MEASURED = "measured"
Made = tuple[dict[str, Any], dict[str, Any]]  # what is measured of a frame, and what the page loads of it, by folder
Take = Callable[[int, Made], None]  # told which of the frames asked for, and what was made of it, in their order


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
    make: Callable[[Sequence[int], Take], None],
    what: str,
    progress: Progress,
) -> list[dict[str, Any]]:
    """What is measured of every pack's `frames` in order, with the names of the `files` that the page loads of it.

    A pack that is there from an earlier run, of the same frames and settings, is not made again. make: from positions
    of frames. Raises DatasetError where the disk does not take the files.
    """
    (folder / MEASURED).mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Any]] = {}
    missing: list[tuple[str, str, Sequence[int]]] = []
    for name, positions in packs_of(dataset):
        key = made_of(dataset, positions, settings)
        known = _known(folder / MEASURED / f"{name}.json", folder, key)
        if known is None:
            missing.append((name, key, positions))
        else:
            found[name] = known
    wanted = [position for _, _, positions in missing for position in positions]
    waiting, gathered = deque(missing), list[Made]()

    def take(number: int, made: Made) -> None:
        gathered.append(made)
        name, key, positions = waiting[0]
        if len(gathered) == len(positions):
            found[name] = _written(folder, name, key, gathered)
            waiting.popleft()
            gathered.clear()
        progress(what, len(dataset) - len(wanted) + number + 1, len(dataset))

    make(wanted, take)
    return [found[name] for name, _ in packs_of(dataset)]


def _written(folder: Path, name: str, key: str, made: Sequence[Made]) -> dict[str, Any]:
    """Write a pack: what the page loads of it, then what is measured, which makes it count; gives that."""
    kinds = made[0][1]
    files = {kind: _script(folder, kind, name, [loaded[kind] for _, loaded in made]) for kind in kinds}
    known = {"made_of": key, "files": files, "frames": [measured for measured, _ in made]}
    write_atomically(folder / MEASURED / f"{name}.json", sealed(known))
    return known


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


def _script(folder: Path, kind: str, name: str, value: object) -> str:
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
