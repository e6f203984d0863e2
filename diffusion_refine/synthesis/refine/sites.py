"""Where one new defect takes the place of an old one, or of several of a class that lie near each other.

A cluster of pits becomes one dent, not as many dents as it has pits. Only the old ones are healed; the new one may lie
anywhere between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import convex_hull_image

from diffusion_refine.editing.painting import PaintSettings, hole_of
from diffusion_refine.editing.realism import RealismSettings
from diffusion_refine.editing.relabelling import Found
from diffusion_refine.editing.windows import round_about
from diffusion_refine.synthesis.generator import Ids
from diffusion_refine.synthesis.refine.units import units_of

Mask = NDArray[np.bool_]

NEAR = 8  # pixels round defects within which they are of one site when these meet


@dataclass(frozen=True, eq=False)
class Site:
    """numbers: of the old defects, the first of which is the new one's. old, hole, room: (H, W), where these were, what
    is healed, and where the new one may be.
    """

    numbers: tuple[int, ...]
    old: Mask
    hole: Mask
    room: Mask

    @property
    def number(self) -> int:
        """Of the new defect."""
        return self.numbers[0]

    def within(self, free: Mask) -> Site:
        """The site where it is free (H, W)."""
        return replace(self, hole=self.hole & free, room=self.room & free)

    def found(self, mask: Found) -> dict[int, Found]:
        """The mask of the new defect, by its number, and those of the others, which are none any more."""
        none = Found(np.zeros_like(self.hole), mask.threshold, 0.0, into=self.number)
        return {number: mask if number == self.number else none for number in self.numbers}


def sites_of(ids: Ids, numbers: Sequence[int], settings: PaintSettings, together: bool) -> list[Site]:
    """The sites of some defects of ids (H, W), the largest of each first; together: one for all that lie near."""
    holes = {number: hole_of(ids == number, settings) for number in numbers}
    if not together:
        return [Site((number,), ids == number, holes[number], holes[number]) for number in numbers]
    chosen = np.where(np.isin(ids, numbers), ids, 0)
    units = units_of(chosen, RealismSettings(band=NEAR)).ravel()
    there, places, areas = (found.tolist() for found in np.unique(chosen, return_index=True, return_counts=True))
    area_of = dict(zip(there, areas, strict=True))
    of_unit: dict[int, list[int]] = {}
    for number, place in zip(there, places, strict=True):
        if number:
            of_unit.setdefault(int(units[place]), []).append(number)
    sites = []
    for _, members in sorted(of_unit.items()):
        members.sort(key=lambda number: -area_of[number])
        hole = np.asarray(np.any([holes[number] for number in members], axis=0))
        room = hole
        if len(members) > 1:
            span = round_about(hole, 0)
            room = np.zeros_like(hole)
            room[span] = convex_hull_image(hole[span])
        sites.append(Site(tuple(members), np.isin(chosen, members), hole, room))
    return sites
