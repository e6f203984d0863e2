"""What an inspection leaves on disk, whole after every picture, so that a stopped one goes on where it was.

out/
  inspection.json         what decides the verdicts: inspector, threshold, options; its digest
  verdicts.jsonl          a line for each picture, in the order in which they came; digests of its files and of itself
  overlays/000000.png     the picture with what was found outlined
  maps/000000.png         16-bit heat map, 0 for the low and 65535 for the high of its line
  masks/000000.png        what was found, white
  inspection.html         the page
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter, model_validator

from procgen.errors import BlemishError
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import (
    explained,
    is_temporary,
    parsed,
    read_bytes,
    remove_leftovers,
    seal_of,
    sealed,
    write_atomically,
)
from scenes.datasets.schema import CHANGED

SETTINGS, VERDICTS, PAGE = "inspection.json", "verdicts.jsonl", "inspection.html"
GOOD, FLAWED, UNREADABLE = "good", "flawed", "unreadable"
KINDS = ("overlays", "maps", "masks")
SEAL = b', "seal": "%s"}\n'  # SHA-256 of the seal of the line before and of all of this one before it
_SEAL = re.compile(rb', "seal": "([0-9a-f]{64})"\}\Z')

Line = dict[str, Any]
_Number = Annotated[int, Field(ge=0, lt=2**53)]
_Size = Annotated[FiniteFloat, Field(ge=0)]


class _Place(BaseModel):
    """What was found, as a line has it."""

    box: tuple[_Number, _Number, _Number, _Number]
    peak: FiniteFloat
    peak_at: tuple[_Number, _Number]
    area_pixels: _Number
    length_pixels: _Size
    width_pixels: _Size
    area_mm2: _Size | None = None
    length_mm: _Size | None = None
    width_mm: _Size | None = None

    @model_validator(mode="after")
    def _in_millimetres_or_not(self) -> _Place:
        if len({size is None for size in (self.area_mm2, self.length_mm, self.width_mm)}) > 1:
            raise ValueError("some sizes are in millimetres and others are missing")
        return self


class _Drift(BaseModel):
    evidence: Annotated[FiniteFloat, Field(gt=0)]
    is_found: bool


class _Unread(BaseModel):
    """A line of a picture without verdict."""

    number: _Number
    picture: str
    sha256: str
    verdict: Literal["unreadable"]
    error: str


class _Read(BaseModel):
    """A line of a picture with one."""

    number: _Number
    picture: str
    sha256: str
    verdict: Literal["good", "flawed"]
    score: FiniteFloat
    found: list[_Place]
    overlay: Annotated[str, Field(pattern=r"^overlays/[0-9]+\.png$")] = ""
    digests: dict[Annotated[str, Field(pattern=r"^(overlays|maps|masks)/[0-9]+\.png$")], str] = {}
    drift: _Drift = _Drift(evidence=1.0, is_found=False)

    @model_validator(mode="after")
    def _overlay_has_itsline_digest(self) -> _Read:
        if self.overlay and self.overlay not in self.digests:
            raise ValueError("an overlay without its digest")
        return self

    @model_validator(mode="after")
    def _flawed_somewhere(self) -> _Read:
        if (self.verdict == FLAWED) != bool(self.found):
            raise ValueError("a picture is flawed exactly where something was found")
        return self


_LINE: TypeAdapter[_Read | _Unread] = TypeAdapter(_Read | _Unread)


class InspectionError(BlemishError):
    """An inspection that cannot be written, or gone on with."""


class VerdictFile:
    """The lines of a folder's verdicts; a last one that was cut short is taken away. Raises InspectionError."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.folder = folder
        self._path = folder / VERDICTS
        self._keep_settings(settings)
        for kind in KINDS:
            if (folder / kind).is_dir():
                remove_leftovers(folder / kind, even_of_the_living=True)  # none lives that may write here
        self.lines = list(self._read())
        self._known = {(line["picture"], line["sha256"]) for line in self.lines if line["sha256"]}

    def knows(self, name: str, sha256: str) -> bool:
        """Whether a picture has its line already."""
        return (name, sha256) in self._known

    def write(self, kind: str, content: Iterable[bytes]) -> tuple[str, str]:
        """Write a PNG of the next line, in pieces, to the folder of its kind; its name and digest."""
        name = f"{kind}/{len(self.lines):06d}.png"
        try:
            with explained(self.folder / kind):
                (self.folder / kind).mkdir(exist_ok=True)
            digest = hashlib.sha256()
            write_atomically(self.folder / name, _told(content, digest.update))
        except DatasetError as error:
            raise InspectionError(str(error)) from None
        return name, digest.hexdigest()

    def add(self, line: Line) -> None:
        """Append a line, which is on the disk when this returns."""
        content = sealed_line(line, self.lines[-1]["seal"] if self.lines else "")
        try:
            with explained(self._path), self._path.open("ab") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except DatasetError as error:
            raise InspectionError(str(error)) from None
        self.lines.append(json.loads(content))
        self._known.add((line["picture"], line["sha256"]))

    def reread(self) -> None:
        """Have the lines that are on the disk: one may be there that a stop kept from being counted."""
        self.lines[:] = self._read()

    def _keep_settings(self, settings: Mapping[str, object]) -> None:
        path = self.folder / SETTINGS
        wanted = json.loads(json.dumps(settings))
        if not path.is_file():
            if any(not is_temporary(entry.name) for entry in self.folder.iterdir()):
                raise InspectionError(
                    f"{self.folder}: found other files and no {SETTINGS}; expected a new or empty folder; choose "
                    "another --out"
                )
            write_atomically(path, sealed(settings))
            return
        found = read_settings(self.folder)
        differing = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
        if differing:
            raise InspectionError(
                f"{self.folder}: holds verdicts with other settings: {differing[0].replace('_', ' ')} "
                f"({found.get(differing[0])} there, {wanted.get(differing[0])} now); choose another --out"
            )

    def _read(self) -> Iterator[Line]:
        if not self._path.is_file():
            return
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):  # killed while it was written
            os.truncate(self._path, whole)
        yield from lines_of(content[:whole], self._path)


def _told(pieces: Iterable[bytes], tell: Callable[[bytes], object]) -> Iterator[bytes]:
    for piece in pieces:
        tell(piece)
        yield piece


def read_settings(folder: Path) -> dict[str, Any]:
    """What decides the verdicts in a folder. Raises InspectionError where that was damaged."""
    path = folder / SETTINGS
    try:
        content = read_bytes(path)
        found = parsed(content, path)
    except DatasetError:
        found = None
    if not isinstance(found, dict) or seal_of(content) != "whole":
        raise InspectionError(f"{path}: {CHANGED}, or is of an earlier Blemish; choose another --out")
    return {name: value for name, value in found.items() if name != "sha256"}


def lines_of(content: bytes, path: Path) -> Iterator[Line]:
    """The lines of a file of verdicts that was read from `path`. Raises InspectionError for a damaged one."""
    before = ""
    for number, written in enumerate(content.removesuffix(b"\n").split(b"\n") if content else []):
        try:
            seal = _SEAL.search(written)
            if seal is None or seal[1] != line_digest(written[: seal.start()], before).encode():
                raise ValueError("it has another seal")
            line = dict(json.loads(written))
            _LINE.validate_json(written, strict=True)
            before = line["seal"]
        except (ValueError, RecursionError):  # the former also where a field is missing or nonsense
            raise InspectionError(
                f"{path}: line {number + 1} is damaged; remove the lines from there on, or choose another --out"
            ) from None
        yield line


def sealed_line(line: Line, before: str) -> bytes:
    """A line of verdicts.jsonl with its seal at its end; before: the seal of the line before."""
    content = in_one_line(line).removesuffix(b"}\n")
    return content + SEAL % line_digest(content, before).encode()


def line_digest(content: bytes, before: str) -> str:
    """The seal of a line whose closing brace is left out."""
    return hashlib.sha256(before.encode() + content).hexdigest()


def in_one_line(line: Line) -> bytes:
    """A line as JSON."""
    return json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"
