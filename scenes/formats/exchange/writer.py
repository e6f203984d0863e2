"""What a format that is written has in common with the others: a labelled picture in, files out."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from procgen.surface.layer import Family
from scenes.formats.blemish import Passes
from scenes.formats.sample import GOOD
from scenes.formats.truth import DefectInstance, Truth
from scenes.pictures.run_lengths import coco_fields

TRAIN, VALIDATION, TEST = "train", "validation", "test"
Entries = Callable[[], Iterator[Any]]  # what was kept of every picture, in order, as often as asked


@dataclass(frozen=True)
class Setup:
    """What all pictures of an export share.

    name: of the set. classes: with their families, in the order of their numbers. shape: how labels are drawn, of the
    format's SHAPES. shard: pictures of one archive.
    """

    name: str
    classes: Mapping[str, Family]
    shape: str = ""
    shard: int = 1000

    def number(self, class_name: str) -> int:
        """The place of a class, from 0."""
        return list(self.classes).index(class_name)


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture to write: its file's content, and what is known of it.

    name, group: as its sample says. split: train, validation or test. suffix: of the file, with its dot. under: what is
    of a class but of no instance, as one of its family lies over it. passes: depth and the like, where there are any.
    """

    number: int
    name: str
    group: str
    split: str
    content: bytes
    suffix: str
    truth: Truth
    under: tuple[DefectInstance, ...] = ()
    passes: Passes | None = None

    @property
    def stem(self) -> str:
        return f"{self.number:06d}"

    @property
    def file(self) -> str:
        return f"{self.stem}{self.suffix}"

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.truth.defect.shape
        return height, width

    @property
    def classes(self) -> tuple[str, ...]:
        """Of its defects, in order; none where it is good."""
        return tuple(sorted({name for family, name in self.truth.kinds() if family == "defect"}))

    @property
    def label(self) -> str:
        return "+".join(self.classes) or GOOD


@dataclass(frozen=True, eq=False)
class Written:
    """What a format makes of a picture: files by their path in the export, and what `close` needs of it, JSON values.

    back, back_under: what a reader finds in these files, to be compared with what went in.
    """

    files: dict[str, bytes]
    back: Truth
    entry: Any = None
    back_under: tuple[DefectInstance, ...] = field(default=())


class Writer(Protocol):
    """A module that writes one format.

    SHAPES: how labels may be drawn, the usual way first; none where there is one way. LEARNS_FLAWS: whether training
    is on flawed pictures too, as detectors do, or on good ones alone; None where the format has no splits.
    HOLDS_PASSES: whether depth, normals, albedo and objects have a place in it.
    """

    SHAPES: tuple[str, ...]
    LEARNS_FLAWS: bool | None
    HOLDS_PASSES: bool

    def write(self, picture: Labelled, setup: Setup) -> Written:
        """The files of one picture."""

    def close(self, setup: Setup, entries: Entries, folder: Path) -> Iterator[tuple[str, Iterable[bytes]]]:
        """The files about all of them, by their paths, in pieces. folder: of the export, for what was put aside."""


ASIDE = ".unfinished"  # where what belongs to no finished export lies: records, and parts of larger files


def folder_name(word: str) -> str:
    """A word as a folder may be called on every system."""
    return re.sub(r"[^\w +.-]|^\.+|[. ]+$", "_", word) or "_"


def png_of(values: NDArray[Any]) -> bytes:
    """(H, W) values as the content of a grey PNG of 8 bits; of truth values, 255 is True."""
    stream = io.BytesIO()
    Image.fromarray(values.astype(np.uint8) * (255 if values.dtype == np.bool_ else 1)).save(stream, "PNG")
    return stream.getvalue()


def described(picture: Labelled) -> dict[str, Any]:
    """A picture and its instances as JSON values, where a format has no fields of its own for them."""
    height, width = picture.shape
    return {
        "name": picture.name,
        "surface": picture.group,
        "split": picture.split,
        "label": picture.label,
        "height": height,
        "width": width,
        **({"passes": picture.passes.record} if picture.passes else {}),
        "instances": [
            {"class": instance.class_name, "family": instance.family, **coco_fields(instance.mask)}
            for instance in picture.truth.instances
        ],
    }
