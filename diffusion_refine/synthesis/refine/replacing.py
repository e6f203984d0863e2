"""Defects of one class replaced by those of a word, each in the hole where one was: painted by a model, or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.core.models import Model
from diffusion_refine.editing.painting import PaintSettings, filled, mask_of, painted
from diffusion_refine.editing.pixels import Pixels, colour, composited, pasted
from diffusion_refine.editing.relabelling import Found, overlap_of
from diffusion_refine.synthesis.refine.drawing import Drawer, Sheets, drawn_into, extent_of
from diffusion_refine.synthesis.refine.sites import Site
from scenes.scene import Scene

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Place:
    """Where defects are replaced: in a picture (H, W[, 3]), at some sites; free: (H, W), where anything may change."""

    pixels: Pixels
    sites: Sequence[Site]
    free: Mask

    @cached_property
    def hole(self) -> Mask:
        """(H, W): those of all sites."""
        return np.asarray(np.any([site.hole for site in self.sites], axis=0))

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
    for site in place.sites:
        again = mask_of(before, made, site.hole & ~taken, site.old, settings.share)
        found |= site.found(again)
        taken |= again.mask
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
    sheets = Sheets(drawer, plain, max(extent_of(site.room) for site in place.sites), scene, of_sheets)
    found: dict[int, Found] = {}
    for site in place.sites:
        drawn = drawn_into(image, site.room & ~taken, sheets, random)
        image, mask = (image, np.zeros_like(site.room)) if drawn is None else (drawn.pixels, drawn.mask)
        found |= site.found(Found(mask, 0.0, overlap_of(mask, site.old)))
        taken |= mask
    return Replaced(plain, image, found)
