"""Pictures of the real set as folders: those of a part of it as they are, or all of them cut into pieces."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomaly.studies.engine.cache import READING, Cache, StepKind, content_of, key_of
from anomaly.studies.engine.labelled import IGNORED, LabelledPicture
from anomaly.studies.engine.progress import StudyProgress
from scenes.datasets.files import write_atomically
from scenes.formats.manifest import MANIFEST, WORDS
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD, UNLABELLED, Sample

IMAGES, MASKS, PIECES = "images", "masks", "pieces"
CUTTING = StepKind("datasets", (*READING, "studies/engine/labelled", "studies/sources/parts"), ("numpy", "pillow"))
OTHER = "other"  # the class, in masks, of what has none in the study
LEAST = 16  # defective pixels of a piece: one that shows fewer is neither good nor flawed, and left out


@dataclass(frozen=True, eq=False)
class _Entry:
    """A picture's file as bytes, with the suffix of its name; its mask of classes, None of a good one, with their
    numbers; its surface."""

    content: bytes
    suffix: str
    classes: NDArray[np.uint8] | None
    labels: frozenset[int]
    surface: str


def write_part(pictures: Sequence[LabelledPicture], folder: Path) -> None:
    """Pictures, byte for byte, with masks of the study's classes and a manifest that names their surfaces.

    What commands make of this folder names its pictures by their digests, as those of the real set.
    """
    entries = (
        _Entry(
            picture.sample.image_path.read_bytes(),
            picture.sample.image_path.suffix,
            None if picture.sample.label == GOOD else picture.class_mask(),
            picture.labels,
            picture.surface,
        )
        for picture in pictures
    )
    _write(entries, pictures[0].classes.names if pictures else (), folder)


def in_pieces(
    pictures: Sequence[LabelledPicture], size: tuple[int, int], cache: Cache, progress: StudyProgress
) -> list[Sample]:
    """The pieces of `size` that pictures are cut into, from their upper left corners; kept in the cache.

    Those of pictures that are not labelled are left out, and those with a mere corner of a defect.
    """
    classes = [list(pictures[0].classes.names), dict(pictures[0].classes.meanings)] if pictures else []
    inputs = {"size": list(size), "classes": classes, "of": content_of([picture.sample for picture in pictures])}
    key = key_of(CUTTING, inputs)
    progress.step("cutting pieces", not cache.is_done(CUTTING, key))

    def make(out: Path) -> None:
        _write(
            _pieces(pictures, size, lambda done: progress.advance("cutting pieces", done, len(pictures))),
            pictures[0].classes.names if pictures else (),
            out / PIECES,
        )

    return read_samples(cache.step(CUTTING, key, inputs, make) / PIECES)


def _pieces(
    pictures: Sequence[LabelledPicture], size: tuple[int, int], on_picture: Callable[[int], None]
) -> Iterator[_Entry]:
    rows, columns = size
    for done, picture in enumerate(pictures, 1):
        if picture.sample.label != UNLABELLED:
            image, mask, valid = picture.image(), picture.class_mask(), picture.sample.valid_mask()
            for top in range(0, mask.shape[0] - rows + 1, rows):
                for left in range(0, mask.shape[1] - columns + 1, columns):
                    place = slice(top, top + rows), slice(left, left + columns)
                    cut = mask[place]
                    defective = int((cut > 0).sum())
                    if (defective == 0 or defective >= LEAST) and (valid is None or valid[place].all()):
                        content = _png(np.ascontiguousarray(image[place]))
                        labels = frozenset(int(k) for k in np.unique(cut) if 0 < k < IGNORED)
                        yield _Entry(content, ".png", cut if defective else None, labels, picture.surface)
        on_picture(done)


def _write(entries: Iterator[_Entry], names: Sequence[str], folder: Path) -> None:
    """Pictures, masks of the classes `names`, and a manifest."""
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    (folder / MASKS).mkdir(exist_ok=True)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["image", "label", "mask", "group"])
    words = dict(enumerate((*names, OTHER), 1))
    is_flawed = False
    for index, entry in enumerate(entries):
        name, mask, label = f"{index:05d}{entry.suffix}", "", GOOD
        write_atomically(folder / IMAGES / name, entry.content)
        if entry.classes is not None:
            is_flawed = True
            mask = f"{MASKS}/{index:05d}.png"
            classes = np.where(entry.classes == IGNORED, np.uint8(len(words)), entry.classes)
            write_atomically(folder / mask, _png(classes))
            label = "+".join(words[k] for k in sorted(entry.labels)) or OTHER
        writer.writerow([f"{IMAGES}/{name}", label, mask, entry.surface])
    write_atomically(folder / MANIFEST, table.getvalue().encode())
    meanings = "mask: {" + ", ".join(f"{value}: {word}" for value, word in words.items()) + "}\n"
    write_atomically(folder / WORDS, (meanings if is_flawed else "{}\n").encode())


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()
