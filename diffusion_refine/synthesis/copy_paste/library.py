"""The defects of a labelled set, to be pasted: where each is, and a piece of its picture when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from diffusion_refine.editing.pixels import Pixels
from diffusion_refine.synthesis.dataset_frames import lineage
from diffusion_refine.synthesis.generator import Mask
from diffusion_refine.synthesis.pasting.chosen import digest_of
from procgen.errors import BlemishError
from scenes.datasets.reader import Dataset
from scenes.formats.blemish import FrameOfDataset
from scenes.formats.provenance import parents_of
from scenes.formats.sample import Sample
from scenes.formats.truth import Truth
from scenes.pictures.reading import Photograph, read_photograph

MARGIN = 3  # pixels around a defect that its piece shows as well, to be blended by
PICTURES_KEPT = 16  # decoded, for the defects of one picture often follow each other


@dataclass(frozen=True)
class Entry:
    """One defect: its picture's number, its own among that picture's instances, its class, and the rows and columns it
    lies in."""

    picture: int
    instance: int
    class_name: str
    box: tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Piece:
    """A defect cut out: pixels (h, w[, 3]), its mask (h, w), and where the picture shows surface that is not labelled.

    at_rim: whether the defect reaches the picture's top, bottom, left and right, so that there is more of it outside.
    """

    pixels: Pixels
    mask: Mask
    bare: Mask
    at_rim: tuple[bool, bool, bool, bool]


class DefectLibrary:
    """The defects of some samples of a labelled set. Raises BlemishError where none is marked."""

    def __init__(self, folder: Path, samples: Sequence[Sample]) -> None:
        self.folder, self.samples = folder, tuple(samples)
        entries = [entry for number, sample in enumerate(self.samples) for entry in entries_of(number, sample)]
        self.by_class: dict[str, list[Entry]] = {
            name: [entry for entry in entries if entry.class_name == name]
            for name in sorted({entry.class_name for entry in entries})
        }
        if not entries:
            raise BlemishError(f"{folder}: its masks mark no defect; expected a labelled set with defects to take")
        self._opened = lru_cache(PICTURES_KEPT)(self._open)

    def __len__(self) -> int:
        return sum(len(entries) for entries in self.by_class.values())

    def written(self) -> dict[str, Any]:
        """What dataset.json says of it."""
        return {"set": self.folder.resolve().name, **digest_of(self.samples), "defects": len(self)}

    def drawn(self, random: np.random.Generator) -> Entry:
        """A defect: of every class as likely, then of its class as likely."""
        entries = self.by_class[str(random.choice(list(self.by_class)))]
        return entries[random.integers(len(entries))]

    def drawn_of(self, classes: Sequence[str], random: np.random.Generator) -> Entry:
        """A defect of one of some classes, each as likely, then of its class as likely."""
        entries = self.by_class[classes[int(random.integers(len(classes)))]]
        return entries[int(random.integers(len(entries)))]

    def piece(self, entry: Entry) -> Piece:
        """A defect with MARGIN pixels around it."""
        photograph, truth = self._opened(entry.picture)
        shape = truth.defect.shape
        rows, columns = (
            slice(max(0, span.start - MARGIN), min(length, span.stop + MARGIN))
            for span, length in zip(entry.box, shape, strict=True)
        )
        mask = truth.instances[entry.instance].mask[rows, columns]
        bare = ~(truth.defect | truth.of_family("impurity"))[rows, columns]
        if photograph.surface is not None:
            bare &= photograph.surface[rows, columns]
        (top, bottom), (left, right) = (
            (span.start == 0, span.stop == length) for span, length in zip(entry.box, shape, strict=True)
        )
        return Piece(photograph.pixels[rows, columns], mask, bare, (top, bottom, left, right))

    def parents(self, entry: Entry) -> list[dict[str, Any]]:
        """The picture that a defect comes from, and those that this was made of; each says that it gave a defect."""
        sample = self.samples[entry.picture]
        if isinstance(sample.annotation, FrameOfDataset):
            found = lineage(Dataset(self.folder), sample.annotation.index)
        else:
            found = parents_of(sample, entry.picture, self._opened(entry.picture)[0], self.folder)
        return [{**parent, "gave": "defect"} for parent in found]

    def _open(self, number: int) -> tuple[Photograph, Truth]:
        sample = self.samples[number]
        photograph = read_photograph(sample.image_path, sample.options, cut_out=True, sha256=sample.sha256)
        return photograph, sample.truth()


def entries_of(number: int, sample: Sample) -> list[Entry]:
    """The defects that a sample's truth marks; impurities are none."""
    found = []
    for place, instance in enumerate(sample.truth().instances):
        boxes: list[tuple[slice, slice]] = find_objects(instance.mask.astype(np.uint8))
        if instance.family == "defect" and boxes:
            found.append(Entry(number, place, instance.class_name, boxes[0]))
    return found


def turned(piece: Piece, quarters: int, mirrored: bool) -> Piece:
    """A piece mirrored left to right, then turned by quarters counter-clockwise; no pixel is resampled."""

    def moved(array: NDArray[Any]) -> NDArray[Any]:
        return np.rot90(array[:, ::-1] if mirrored else array, quarters)

    top, bottom, left, right = piece.at_rim
    if mirrored:
        left, right = right, left
    for _ in range(quarters % 4):
        top, bottom, left, right = right, left, top, bottom
    return Piece(moved(piece.pixels), moved(piece.mask), moved(piece.bare), (top, bottom, left, right))
