"""What a recipe's physics puts on a picture: where, of which mechanism, and how it looks (P1)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from diffusion_refine.editing.pixels import Pixels
from diffusion_refine.synthesis.generator import Ids, Mask
from diffusion_refine.synthesis.maphc2f.mechanisms import Mechanism, mechanism_of
from diffusion_refine.synthesis.pasting.pastes import as_fractions
from diffusion_refine.synthesis.procedural.painting import painted
from procgen.errors import BlemishError
from scenes.pictures.reading import Photograph
from scenes.recipes.on_photographs import draw_on
from scenes.recipes.recipe import Recipe

LEAST = 4  # pixels of a mask


@dataclass(frozen=True)
class PhysicalDefect:
    """A defect by its number; box: rows and columns that it lies in."""

    number: int
    class_name: str
    box: tuple[slice, slice]

    @property
    def mechanism(self) -> Mechanism:
        return mechanism_of(self.class_name)


@dataclass(frozen=True, eq=False)
class Drawn:
    """appearance: a of P1, (H, W, C), so that I + a shows all defects. ids: (H, W), whose numbers are the defects'."""

    appearance: NDArray[np.float64]
    ids: Ids
    defects: tuple[PhysicalDefect, ...]


class Physics:
    """The defects of a recipe, of some classes, without its impurities. Raises BlemishError where it has none.

    scale: metres per pixel; None where pictures are as wide as the recipe's view.
    """

    def __init__(self, recipe: Recipe, classes: Sequence[str] = (), scale: float | None = None) -> None:
        there = {entry.class_name: entry.kind for entry in recipe.defects}
        unknown = [name for name in classes if name not in there]
        if unknown or not there:
            known = ", ".join(there) or "no defect"
            found = f"found {unknown[0]}; the recipe has" if unknown else "the recipe has"
            raise BlemishError(f"{recipe.name}: {found} {known}; name a recipe and classes of its defects")
        self.classes, self.scale = tuple(classes or there), scale
        self.recipe = recipe.only(*(entry.kind for entry in recipe.defects if entry.class_name in self.classes))

    def on(self, pixels: Pixels, free: Mask, seed: int) -> Drawn:
        """What it draws on pixels (H, W[, 3]), where that lies on `free` (H, W)."""
        photograph = Photograph(pixels, "", hashlib.sha256(pixels.tobytes()).hexdigest())
        made = painted(pixels, draw_on(photograph, self.recipe, seed, 0, self.scale, None), gloss=0.0)
        ids = np.where(free, made.defects, np.uint16(0))
        areas = np.bincount(ids.ravel())
        boxes = find_objects(ids)
        defects = tuple(
            PhysicalDefect(instance.id, instance.class_name, boxes[instance.id - 1])
            for instance in made.instances
            if instance.id < len(areas) and areas[instance.id] >= LEAST
        )
        ids[~np.isin(ids, [defect.number for defect in defects])] = 0
        change = as_fractions(made.pixels) - as_fractions(pixels)
        return Drawn(change if change.ndim == 3 else change[..., None], ids, defects)
