"""Boxes in text files beside pictures: NAME.txt, a line a box, "class x y w h", shares of the picture.

The classes' names stand in a JSON file of name -> number, such as the published pcb.json, or a line each in
classes.txt, in the labels' folder or the one above it. However they are written, they are known: "missinghole" is
missing_hole.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from diffusion_refine.synthesis.crg.boxes import Box
from diffusion_refine.synthesis.crg.sources import LabelledBoxes
from procgen.errors import BlemishError

LIST = "classes.txt"
FEWEST, MOST = 5, 6  # words of a line: class, centre, sides, and of a detection its confidence


def read_labels(
    folder: Path, names: Iterable[str], known: tuple[str, ...], classes: Path | None = None
) -> LabelledBoxes:
    """The boxes of pictures, by their names without suffixes. known: the classes that can be drawn.

    Raises BlemishError for files that cannot be read, and classes that are not known.
    """
    named = _class_names(folder, classes)
    boxes: dict[str, tuple[Box, ...]] = {}
    digest = hashlib.sha256()
    for name in dict.fromkeys(names):
        path = folder / f"{name}.txt"
        if not path.is_file():
            continue
        content = _text(path)
        digest.update(f"{name}\n{content}".encode())
        lines = [(number, line.split()) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
        boxes[name] = tuple(_box(words, f"{path}: line {number}", named, known) for number, words in lines)
    if not any(boxes.values()):
        raise BlemishError(f"{folder}: holds no box of any picture; expected NAME.txt beside each, a line a box")
    there = {box.class_name for found in boxes.values() for box in found}
    return LabelledBoxes(boxes, tuple(name for name in known if name in there), digest.hexdigest())


def has_labels(folder: Path, names: Iterable[str]) -> bool:
    """Whether a folder holds a text file of one of the pictures."""
    return any((folder / f"{name}.txt").is_file() for name in names)


def plain(name: str) -> str:
    """A class's name in small letters and digits alone, by which names are compared."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _class_names(folder: Path, classes: Path | None) -> dict[int, str]:
    """Number -> name."""
    places = (folder, folder.resolve().parent)
    found = (
        [classes] if classes else [path for place in places for path in (*sorted(place.glob("*.json")), place / LIST)]
    )
    for path in found:
        if path.suffix == ".txt":
            if path.is_file():
                return dict(enumerate(name.strip() for name in _text(path).splitlines() if name.strip()))
            continue
        try:
            fields = json.loads(_text(path))
        except ValueError as error:
            raise BlemishError(f"{path}: is no JSON ({error}); expected names and numbers of classes") from None
        if isinstance(fields, Mapping) and fields and all(type(number) is int for number in fields.values()):
            return {number: name for name, number in fields.items()}
        if classes:
            raise BlemishError(
                f'{path}: expected names and numbers of classes, such as {{"missinghole": 0, "short": 3}}'
            )
    raise BlemishError(
        f"{folder}: found no JSON of classes and no classes.txt there or above; name one with --classes, such as "
        'a pcb.json of {"missinghole": 0, "mousebite": 1}'
    )


def _box(words: list[str], where: str, named: Mapping[int, str], known: tuple[str, ...]) -> Box:
    if not FEWEST <= len(words) <= MOST:
        raise BlemishError(f"{where}: found {len(words)} words; expected a class and x y w h, shares of the picture")
    try:
        number, (column, row, width, height) = int(words[0]), (float(word) for word in words[1:5])
    except ValueError:
        raise BlemishError(f"{where}: found {' '.join(words)[:60]}; expected a whole number and x y w h") from None
    if not (0 <= column <= 1 and 0 <= row <= 1 and 0 < width <= 1 and 0 < height <= 1):
        raise BlemishError(f"{where}: found {' '.join(words[1:5])}; expected shares of the picture, from 0 to 1")
    if number not in named:
        raise BlemishError(f"{where}: found class {number}; expected one of {', '.join(map(str, sorted(named)))}")
    for name in known:
        if plain(name) == plain(named[number]):
            return Box(name, row, column, height, width)
    raise BlemishError(f"{where}: found {named[number]}, which the model cannot draw; it learnt {', '.join(known)}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BlemishError(f"{path}: cannot be read as text ({error}); restore it") from None
