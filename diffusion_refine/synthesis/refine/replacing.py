"""Defects of one class replaced by those of a word, each in the hole where one was: painted by a model, or drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.core.models import Model
from diffusion_refine.editing.painting import PaintSettings, filled, mask_of, painted
from diffusion_refine.editing.pixels import Pixels, colour, composited, pasted
from diffusion_refine.editing.relabelling import Found
from diffusion_refine.synthesis.refine.drawing import Drawer, Sheets, drawn_into, extent_of
from scenes.scene import Scene

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Place:
    """Where defects are replaced: in a picture (H, W[, 3]), at the old ones (H, W), each by its number, in their holes.

    free: (H, W), where anything may change.
    """

    pixels: Pixels
    old: Mapping[int, Mask]
    holes: Mapping[int, Mask]
    free: Mask

    @property
    def hole(self) -> Mask:
        """(H, W): all of them."""
        return np.asarray(np.any(list(self.holes.values()), axis=0))

    def changed(self, change: NDArray[np.float64]) -> Pixels:
        """The picture with a change (H, W, 3) added where it may be."""
        return pasted(self.pixels, composited(self.pixels, change, np.ones(self.free.shape)), self.free)


@dataclass(frozen=True, eq=False)
class Replaced:
    """The picture with nothing in the holes, the picture with the new defects, and where those are."""

    plain: Pixels
    pixels: Pixels
    found: dict[int, Found]


def painted_in(
    painter: Model,
    place: Place,
    prompts: tuple[str, str],
    rivals: list[str],
    settings: PaintSettings,
    seed: int,
) -> Replaced:
    """What a model paints into the holes. prompts: with the new defects, and without any; rivals: see `painted`."""
    before = colour(place.pixels)
    made = painted(painter, before, place.hole, prompts, settings, seed, rivals)
    found: dict[int, Found] = {}
    taken = np.zeros_like(place.free)
    for number, hole in place.holes.items():
        found[number] = mask_of(before, made, hole & ~taken, place.old[number], settings.share)
        taken |= found[number].mask
    return Replaced(place.changed(made.nothing), place.changed(made.defect), found)


def drawn_in(
    painter: Model,
    place: Place,
    nothing: str,
    drawer: Drawer,
    scene: Scene,
    settings: PaintSettings,
    random: np.random.Generator,
) -> Replaced:
    """What a recipe draws into the holes, which a model heals before. nothing: its prompt for that."""
    seed, of_sheets = random.integers(2**63 - 1, size=2).tolist()
    plain = place.changed(filled(painter, colour(place.pixels), place.hole, nothing, settings, seed))
    image, taken = plain, np.zeros_like(place.free)
    sheets = Sheets(drawer, plain, max(map(extent_of, place.holes.values())), scene, of_sheets)
    found: dict[int, Found] = {}
    for number, hole in place.holes.items():
        drawn = drawn_into(image, hole & ~taken, sheets, scene, random)
        image, mask = (image, np.zeros_like(hole)) if drawn is None else (drawn.pixels, drawn.mask)
        old = place.old[number]
        found[number] = Found(mask, 0.0, float(np.count_nonzero(mask & old) / max(1, np.count_nonzero(mask | old))))
        taken |= mask
    return Replaced(plain, image, found)
