"""What an inspection leaves on disk, whole after every picture, so that a stopped one goes on where it was.

out/
  inspection.json         what decides the verdicts: inspector, threshold, options
  verdicts.jsonl          a line for each picture, in the order in which they came
  overlays/000000.png     the picture with what was found outlined
  maps/000000.png         16-bit heat map, 0 for the low and 65535 for the high of its line
  masks/000000.png        what was found, white
  inspection.html         the page
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter, model_validator

from procgen.errors import BlemishError
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import as_json, explained, is_temporary, parsed, write_atomically

SETTINGS, VERDICTS, PAGE = "inspection.json", "verdicts.jsonl", "inspection.html"
GOOD, FLAWED, UNREADABLE = "good", "flawed", "unreadable"

Line = dict[str, Any]


class _Place(BaseModel):
    """What was found, as a line has it."""

    box: tuple[int, int, int, int]
    peak: FiniteFloat
    peak_at: tuple[int, int]
    area_pixels: int
    length_pixels: FiniteFloat
    width_pixels: FiniteFloat
    area_mm2: FiniteFloat = 0.0
    length_mm: FiniteFloat = 0.0
    width_mm: FiniteFloat = 0.0


class _Drift(BaseModel):
    evidence: Annotated[FiniteFloat, Field(gt=0)]
    is_found: bool


class _Unread(BaseModel):
    """A line of a picture without verdict."""

    number: int
    picture: str
    sha256: str
    verdict: Literal["unreadable"]
    error: str


class _Read(BaseModel):
    """A line of a picture with one."""

    number: int
    picture: str
    sha256: str
    verdict: Literal["good", "flawed"]
    score: FiniteFloat
    found: list[_Place]
    overlay: Annotated[str, Field(pattern=r"^overlays/\d+\.png$")] = ""
    drift: _Drift = _Drift(evidence=1.0, is_found=False)

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
        self.lines = list(self._read())
        self._known = {(line["picture"], line["sha256"]) for line in self.lines if line["sha256"]}

    def knows(self, name: str, sha256: str) -> bool:
        """Whether a picture has its line already."""
        return (name, sha256) in self._known

    def write(self, kind: str, content: bytes) -> str:
        """Write a PNG of the next line to the folder of its kind; its name."""
        name = f"{kind}/{len(self.lines):06d}.png"
        try:
            with explained(self.folder / kind):
                (self.folder / kind).mkdir(exist_ok=True)
            write_atomically(self.folder / name, content)
        except DatasetError as error:
            raise InspectionError(str(error)) from None
        return name

    def add(self, line: Line) -> None:
        """Append a line, which is on the disk when this returns."""
        try:
            with explained(self._path), self._path.open("ab") as file:
                file.write(in_one_line(line))
                file.flush()
                os.fsync(file.fileno())
        except DatasetError as error:
            raise InspectionError(str(error)) from None
        self.lines.append(line)
        self._known.add((line["picture"], line["sha256"]))

    def reread(self) -> None:
        """Have the lines that are on the disk: one may be there that a stop kept from being counted."""
        self.lines[:] = self._read()

    def _keep_settings(self, settings: Mapping[str, object]) -> None:
        path = self.folder / SETTINGS
        wanted = json.loads(as_json(settings))
        if not path.is_file():
            if any(not is_temporary(entry.name) for entry in self.folder.iterdir()):
                raise InspectionError(
                    f"{self.folder}: found other files and no {SETTINGS}; expected a new or empty folder; choose "
                    "another --out"
                )
            write_atomically(path, as_json(settings))
            return
        found = parsed(path.read_bytes(), path)
        if not isinstance(found, dict):
            raise InspectionError(f"{path}: was not written by blemish; choose another --out")
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
        for number, written in enumerate(content[:whole].splitlines(), 1):
            try:
                line = json.loads(written)
                _LINE.validate_python(line, strict=False)
            except (ValueError, RecursionError):  # the former also where a field is missing or nonsense
                raise InspectionError(
                    f"{self._path}: line {number} is damaged; remove the lines from there on, or choose another --out"
                ) from None
            yield line


def in_one_line(line: Line) -> bytes:
    """A line of verdicts.jsonl."""
    return json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"
