"""Where SARD draws: masks of a recipe's physics, of a labelled set, or of thresholded noise.

The paper takes "randomly generated binary masks" and does not say how they are made; `random` makes DRAEM's. What this
project has and the paper lacks are masks of defects as they grow: those of a recipe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from scipy.ndimage import zoom
from skimage.measure import label

from diffusion_refine.synthesis.copy_paste.library import DefectLibrary
from diffusion_refine.synthesis.draem.perlin import perlin_mask
from diffusion_refine.synthesis.generator import Mask, SourceFrame
from diffusion_refine.synthesis.pasting.pastes import drawn_place, room
from diffusion_refine.synthesis.procedural.painting import painted
from scenes.pictures.reading import Photograph
from scenes.recipes.on_photographs import draw_on
from scenes.recipes.recipe import Recipe

TRIES = 20  # shapes, before a frame has no room for another
RANDOM_THRESHOLD = 0.5  # of the noise; DRAEM's
SMALLEST, LARGEST = 0.3, 1.0  # sides of random masks' rectangles, shares of a window's
STRETCH = 0.25  # how far a mask of a set is stretched either way, at most
LEAST = 4  # pixels of a mask


@dataclass(frozen=True, eq=False)
class DrawnMask:
    """mask (h, w) from `top`, `left` of the frame on, and what is to be there; parents: pictures that it comes from."""

    top: int
    left: int
    mask: Mask
    class_name: str
    record: dict[str, Any]
    parents: tuple[dict[str, Any], ...] = field(default=())


class MaskSource(Protocol):
    """Draws the masks of a frame, all on free surface (H, W) and apart from each other."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What its masks may be of."""

    def written(self) -> dict[str, Any]:
        """What dataset.json says of it."""

    def drawn(self, frame: SourceFrame, free: Mask, random: np.random.Generator) -> Iterator[DrawnMask]: ...


@dataclass(frozen=True)
class RandomMasks:
    """Connected pieces of thresholded Perlin noise. side: of a window, pixels; count: a frame."""

    classes: tuple[str, ...]
    side: int
    count: int

    def written(self) -> dict[str, Any]:
        return {"masks": "random", "count": self.count, "threshold": RANDOM_THRESHOLD}

    def drawn(self, frame: SourceFrame, free: Mask, random: np.random.Generator) -> Iterator[DrawnMask]:
        rest = free.copy()
        for _ in range(self.count):
            for _ in range(TRIES):
                shape = tuple(int(side) for side in np.rint(self.side * random.uniform(SMALLEST, LARGEST, 2)))
                mask = largest_part(perlin_mask((shape[0], shape[1]), RANDOM_THRESHOLD, random))
                name = self.classes[int(random.integers(len(self.classes)))]
                if (place := _placed(mask, rest, random)) is not None:
                    yield DrawnMask(*place, mask, name, {"masks": "random"})
                    break


@dataclass(frozen=True)
class LibraryMasks:
    """Masks of a labelled set's defects, mirrored, turned by quarters and stretched; of some classes, as often each."""

    library: DefectLibrary
    classes: tuple[str, ...]
    count: int

    def written(self) -> dict[str, Any]:
        return {"masks": "set", "count": self.count, **self.library.written()}

    def drawn(self, frame: SourceFrame, free: Mask, random: np.random.Generator) -> Iterator[DrawnMask]:
        rest = free.copy()
        for _ in range(self.count):
            for _ in range(TRIES):
                entry = self.library.drawn_of(self.classes, random)
                mask = self.library.piece(entry).mask
                quarters, mirrored = int(random.integers(4)), bool(random.integers(2))
                stretch = np.exp(random.uniform(-STRETCH, STRETCH, 2))
                mask = trimmed(stretched(np.rot90(mask[:, ::-1] if mirrored else mask, quarters), stretch))
                if (place := _placed(mask, rest, random)) is not None:
                    record = {"masks": "set", "quarters": quarters, "mirrored": mirrored}
                    record["stretch"] = [round(float(share), 4) for share in stretch]
                    yield DrawnMask(*place, mask, entry.class_name, record, tuple(self.library.parents(entry)))
                    break


@dataclass(frozen=True)
class RecipeMasks:
    """The defects that a recipe's physics puts on the picture, each an instance of its own."""

    recipe: Recipe
    classes: tuple[str, ...]

    def written(self) -> dict[str, Any]:
        return {"masks": "recipe", "recipe": self.recipe.name}

    def drawn(self, frame: SourceFrame, free: Mask, random: np.random.Generator) -> Iterator[DrawnMask]:
        seed = int(random.integers(2**31))
        photograph = Photograph(frame.image, "", hashlib.sha256(frame.image.tobytes()).hexdigest())
        made = painted(frame.image, draw_on(photograph, self.recipe, seed, 0, None, None), gloss=0.0)
        for instance in made.instances:
            mask = (made.defects == instance.id) & free
            if instance.family != "defect" or instance.class_name not in self.classes or mask.sum() < LEAST:
                continue
            top, left = (int(np.flatnonzero(mask.any(axis=axis))[0]) for axis in (1, 0))
            yield DrawnMask(top, left, trimmed(mask), instance.class_name, {"masks": "recipe", "drawn_with": seed})


def largest_part(mask: Mask) -> Mask:
    """The largest connected part of a mask, cut to its rectangle; an empty mask as it is."""
    parts = label(mask, connectivity=2)
    if not parts.any():
        return mask
    return trimmed(parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])))


def trimmed(mask: Mask) -> Mask:
    """A mask cut to the rectangle of what it marks."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if rows.size else mask


def stretched(mask: Mask, factors: Sequence[float]) -> Mask:
    """A mask larger or smaller either way; what marks half of a pixel marks it, and something is always marked."""
    found: Mask = zoom(mask.astype(float), factors, order=1) >= 0.5
    return found if found.any() else mask


def _placed(mask: Mask, rest: Mask, random: np.random.Generator) -> tuple[int, int] | None:
    """Where a mask lies on the free surface, which it takes with a pixel around it; None where it fits nowhere."""
    if mask.sum() < LEAST or any(own > whole for own, whole in zip(mask.shape, rest.shape, strict=True)):
        return None
    place = drawn_place(room(rest, mask), random)
    if place is None:
        return None
    top, left = place
    own = slice(max(0, top - 1), top + mask.shape[0] + 1), slice(max(0, left - 1), left + mask.shape[1] + 1)
    rest[own] = False
    return place
