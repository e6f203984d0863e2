"""Whether a dataset is as it was written: every file compared with its digest, and with what the others say."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scenes.datasets.annotations import coco_annotations
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import parsed, read_bytes, seal_of, sha256_of, write_atomically
from scenes.datasets.lock import locked
from scenes.datasets.reader import Dataset, Frame
from scenes.datasets.schema import ANNOTATIONS, CHANGED, HEADER, MESH, SCENES, Header, committed, read_header

_EDITED = re.compile(rb'"sha256": ?"[0-9a-f]{64}" ?\}\s*\Z')  # a seal in another layout than that of Blemish
_IMAGE = re.compile(rb'\{"id": (\d+), "file_name": ')


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong.

    what: names the file; frame: its number where it is a frame's; None of all others. edited: whether another program
    wrote that file, which no damage looks like.
    """

    what: str
    frame: int | None = None
    edited: bool = False

    def __str__(self) -> str:
        return self.what


def damages(folder: Path) -> Iterator[Damage]:
    """Everything that is wrong with a dataset, file by file. Raises DatasetError where there is none to look at."""
    header = read_header(folder)
    yield from _mesh(folder, header)
    yield from _frames_and_annotations(folder, header, finished=True)


def refuse_damaged(folders: Iterable[Path]) -> None:
    """Raises DatasetError for the first of Blemish's datasets among them of which a file was damaged."""
    for folder in folders:
        if (folder / HEADER).is_file() and (damage := next(damages(folder), None)):
            raise DatasetError(f"{damage}; mend it with: blemish verify --repair {shlex.quote(str(folder))}")


def _frames_and_annotations(folder: Path, header: Header, finished: bool) -> Iterator[Damage]:
    """finished: whether annotations are missed where all frames are there."""
    whole = True
    for index in committed(folder, header.frames):
        damage = _frame(folder, index, header)
        if damage is not None:
            whole = False
            yield damage
    if not whole:
        return
    if (folder / ANNOTATIONS).is_file():
        if problem := _annotations(folder, header):
            yield Damage(problem)
    elif finished and len(committed(folder, header.frames)) == header.frames:
        yield Damage(f"{folder / ANNOTATIONS}: missing, though all frames are there")


def discard_damaged(folder: Path, *, edited: bool = False) -> list[Damage]:
    """Take the records of damaged frames away, and annotations that do not fit, so that a writer makes them anew.

    edited: those that somebody changed as well. Returns what was wrong. Raises DatasetError where it cannot be mended
    so, or would undo what somebody changed.
    """
    found = list(_frames_and_annotations(folder, read_header(folder), finished=False))
    for damage in found:
        if damage.edited and not edited:
            raise DatasetError(
                f"{damage}, by another program; restore it, or have it made anew with: blemish verify --repair {folder}"
            )
    for damage in found:
        if damage.frame is not None:
            (folder / SCENES / f"{damage.frame:06d}.json").unlink()
    if found:
        (folder / ANNOTATIONS).unlink(missing_ok=True)
    return found


def repair(folder: Path) -> str:
    """Discard what is damaged, have it made anew where it was rendered, and write the annotations again.

    Returns, in words, what is left to do. Raises DatasetError where nothing can be done.
    """
    with locked(folder):
        discard_damaged(folder, edited=True)
        header = read_header(folder)
        missing = header.frames - len(committed(folder, header.frames))
        if not missing and not (folder / ANNOTATIONS).is_file():
            write_atomically(folder / ANNOTATIONS, coco_annotations(Dataset(folder)))
    if not missing:
        return ""
    command = _rendering(folder, header)
    if command is None:
        return f"{missing} damaged frames are discarded; run the command that made {folder} again to make them anew"
    if subprocess.run([sys.executable, "-m", "blemish", *command], check=False).returncode:
        return f"{missing} damaged frames are discarded, and were not rendered: blemish {shlex.join(command)}"
    return ""


def _rendering(folder: Path, header: Header) -> list[str] | None:
    """The command that renders the missing frames of a dataset; None where it was made in another way."""
    if not {"samples"} <= header.settings.keys() <= {"samples", "device"}:
        return None
    options = {"frames": header.frames, "seed": header.seed, **header.settings}
    if "exr" in header.passes.values():
        options["pass-format"] = "exr"
    return [
        *("render", str(folder), "--out", str(folder)),
        *(f"--{name}={value}" for name, value in options.items()),
        *(f"--pass={name}" for name in header.passes),
    ]


def _frame(folder: Path, index: int, header: Header) -> Damage | None:
    """What is wrong with a frame; of one without digests, with what it says."""
    path = folder / SCENES / f"{index:06d}.json"
    try:
        content = read_bytes(path)
        match seal_of(content):
            case "broken":
                return Damage(f"{path}: {CHANGED}", index)
            case "none":
                if _EDITED.search(content):
                    return Damage(f"{path}: {CHANGED}", index, edited=True)
                frame = Frame(folder, index, header)
                _ = frame.image, frame.classes, frame.defects, frame.impurities
                _ = [frame.read_pass(name) for name in header.passes]
                return Damage(f"{path}: {CHANGED}", index) if frame.digests else None
        written = parsed(content, path)
        digests = written.get("files") if isinstance(written, dict) else None
        for name, file in header.file_names(index).items():
            if name == SCENES:
                continue
            picture = folder / file
            if not isinstance(digests, dict) or sha256_of(picture) != digests.get(name):
                return Damage(f"{picture}: {CHANGED}", index)
    except DatasetError as error:
        return Damage(str(error).partition("; mend it with")[0], index)
    return None


def _mesh(folder: Path, header: Header) -> Iterator[Damage]:
    part = header.recipe.get("part")
    if isinstance(part, dict) and part.get("kind") == MESH and part.get("sha256"):
        path = folder / str(part.get("path"))
        try:
            if sha256_of(path) != part["sha256"]:
                yield Damage(f"{path}: {CHANGED}")
        except DatasetError as error:
            yield Damage(str(error))


def _annotations(folder: Path, header: Header) -> str:
    """What is wrong with the annotations, in words, or ""."""
    path = folder / ANNOTATIONS
    content = read_bytes(path)
    seal = seal_of(content)
    sealed_header = seal_of(read_bytes(folder / HEADER)) != "none"
    if seal == "broken" or (seal == "none" and sealed_header):
        return f"{path}: {CHANGED}"
    try:
        if seal == "whole":  # of a million frames it is too large to be read as JSON for their numbers alone
            numbers = [int(found) for found in _IMAGE.findall(content)]
        else:
            written = parsed(content, path)
            numbers = [image["id"] for image in written["images"]]  # type: ignore[index]
    except (DatasetError, KeyError, TypeError, ValueError):  # the last of numbers of thousands of digits
        return f"{path}: truncated or damaged"
    if numbers != list(range(header.frames)):
        return f"{path}: is about {len(numbers)} frames; expected {header.frames}"
    return ""
