"""Where CRG draws: boxes beside each picture, those of a labelled set, or of what a recipe's physics puts there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from diffusion_refine.synthesis.copy_paste.library import DefectLibrary
from diffusion_refine.synthesis.crg.boxes import Box, box_of
from diffusion_refine.synthesis.generator import Mask, SourceFrame
from diffusion_refine.synthesis.pasting.pastes import drawn_place, room
from diffusion_refine.synthesis.pasting.surfaces import PictureFrame
from diffusion_refine.synthesis.sard.masks import RecipeMasks

TRIES = 20  # boxes, before a frame has no room for another


@dataclass(frozen=True)
class WantedBox:
    """A box to draw in, how it was come by, and the pictures that it comes from."""

    box: Box
    record: Mapping[str, Any] = field(default_factory=dict)
    parents: tuple[dict[str, Any], ...] = ()


class BoxSource(Protocol):
    """Draws the boxes of a frame."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What its boxes may be of."""

    def written(self) -> dict[str, Any]:
        """What dataset.json says of it."""

    def drawn(self, frame: SourceFrame, free: Mask, random: np.random.Generator) -> Iterator[WantedBox]: ...


@dataclass(frozen=True)
class LabelledBoxes:
    """The boxes that lie beside each picture, by the picture's name without its suffix; rows and columns are shares.

    each: of pictures that are worked on once for every box, which box it is, by the number of the frame's picture.
    """

    boxes: Mapping[str, tuple[Box, ...]]
    classes: tuple[str, ...]
    sha256: str
    each: Sequence[int] | None = None

    def written(self) -> dict[str, Any]:
        return {"boxes": "labels", "sha256": self.sha256, "each": self.each is not None}

    def of(self, frame: SourceFrame) -> tuple[Box, ...]:
        """The boxes of a frame, in its pixels."""
        height, width = frame.image.shape[:2]
        name = Path(frame.photograph.name).stem if isinstance(frame, PictureFrame) else f"{frame.index:06d}"
        found = self.boxes.get(name, ())
        if self.each is not None:
            found = found[self.each[frame.index] :][:1]
        return tuple(
            Box(box.class_name, box.row * height, box.column * width, box.height * height, box.width * width)
            for box in found
        )

    def drawn(self, frame: SourceFrame, free: Mask, random: np.random.Generator) -> Iterator[WantedBox]:
        for box in self.of(frame):
            if box.class_name in self.classes:
                yield WantedBox(box, {"boxes": "labels"})


@dataclass(frozen=True)
class SetBoxes:
    """Boxes as large as those of a labelled set's defects, turned by quarters, anywhere on free surface."""

    library: DefectLibrary
    classes: tuple[str, ...]
    count: int

    def written(self) -> dict[str, Any]:
        return {"boxes": "set", "count": self.count, **self.library.written()}

    def drawn(self, frame: SourceFrame, free: Mask, random: np.random.Generator) -> Iterator[WantedBox]:
        rest = free.copy()
        for _ in range(self.count):
            for _ in range(TRIES):
                entry = self.library.drawn_of(self.classes, random)
                height, width = (span.stop - span.start for span in entry.box)
                if random.integers(2):
                    height, width = width, height
                if height > rest.shape[0] or width > rest.shape[1]:
                    continue
                place = drawn_place(room(rest, np.ones((height, width), dtype=bool)), random)
                if place is None:
                    continue
                top, left = place
                rest[top : top + height, left : left + width] = False
                box = Box(entry.class_name, top + height / 2, left + width / 2, height, width)
                yield WantedBox(box, {"boxes": "set"}, tuple(self.library.parents(entry)))
                break


@dataclass(frozen=True)
class RecipeBoxes:
    """The boxes of the defects that a recipe's physics puts on the picture."""

    masks: RecipeMasks

    @property
    def classes(self) -> tuple[str, ...]:
        return self.masks.classes

    def written(self) -> dict[str, Any]:
        return {"boxes": "recipe", "recipe": self.masks.recipe.name}

    def drawn(self, frame: SourceFrame, free: Mask, random: np.random.Generator) -> Iterator[WantedBox]:
        for one in self.masks.drawn(frame, free, random):
            box = box_of(one.mask, one.class_name)
            moved = Box(box.class_name, box.row + one.top, box.column + one.left, box.height, box.width)
            yield WantedBox(moved, {"boxes": "recipe", "drawn_with": one.record["drawn_with"]})
