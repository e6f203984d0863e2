"""What a recipe's physics puts on a picture: where, of which mechanism, and how it looks (P1)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.editing.pixels import Pixels
from diffusion_refine.synthesis.generator import Mask
from diffusion_refine.synthesis.maphc2f.mechanisms import Mechanism, mechanism_of
from diffusion_refine.synthesis.pasting.pastes import as_fractions
from diffusion_refine.synthesis.procedural.painting import painted
from procgen.errors import BlemishError
from scenes.pictures.reading import Photograph
from scenes.recipes.on_photographs import draw_on
from scenes.recipes.recipe import Recipe

LEAST = 4  # pixels of a mask


@dataclass(frozen=True, eq=False)
class PhysicalDefect:
    """mask (H, W), exact."""

    mask: Mask
    class_name: str

    @property
    def mechanism(self) -> Mechanism:
        return mechanism_of(self.class_name)


@dataclass(frozen=True, eq=False)
class Drawn:
    """appearance: a of P1, (H, W, C), so that I + a shows all defects."""

    appearance: NDArray[np.float64]
    defects: tuple[PhysicalDefect, ...]


class Physics:
    """The defects of a recipe, of some classes, without its impurities. Raises BlemishError where it has none."""

    def __init__(self, recipe: Recipe, classes: Sequence[str] = ()) -> None:
        there = {entry.class_name: entry.kind for entry in recipe.defects}
        unknown = [name for name in classes if name not in there]
        if unknown or not there:
            known = ", ".join(there) or "no defect"
            found = f"found {unknown[0]}; the recipe has" if unknown else "the recipe has"
            raise BlemishError(f"{recipe.name}: {found} {known}; name a recipe and classes of its defects")
        self.classes = tuple(classes or there)
        self.recipe = recipe.only(*(entry.kind for entry in recipe.defects if entry.class_name in self.classes))

    def on(self, pixels: Pixels, free: Mask, seed: int) -> Drawn:
        """What it draws on pixels (H, W[, 3]), where that lies on `free` (H, W)."""
        photograph = Photograph(pixels, "", hashlib.sha256(pixels.tobytes()).hexdigest())
        made = painted(pixels, draw_on(photograph, self.recipe, seed, 0, None, None), gloss=0.0)
        masks = ((made.defects == instance.id) & free for instance in made.instances)
        defects = tuple(
            PhysicalDefect(mask, instance.class_name)
            for mask, instance in zip(masks, made.instances, strict=True)
            if mask.sum() >= LEAST
        )
        change = as_fractions(made.pixels) - as_fractions(pixels)
        return Drawn(change if change.ndim == 3 else change[..., None], defects)
