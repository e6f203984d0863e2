"""Where the defects of a frame are after an edit: where they were, or where their masks were found again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.editing.relabelling import Found, found_again
from diffusion_refine.synthesis.generator import Ids, Relabelling
from procgen.surface.layer import Instance
from scenes.datasets.relabelling import KEPT, REFUSED, RELABELLED
from scenes.pictures.run_lengths import encoded

DIGITS = 6  # of figures that are written
Picture = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tracked:
    """Ids (H, W) after an edit; found: how the mask of each instance that was looked for was found again."""

    ids: Ids
    found: Mapping[int, Found]

    @property
    def lost(self) -> list[int]:
        """Instances that were looked for and not found, though no other took their place."""
        there = set(np.unique(self.ids).tolist())
        return [number for number, found in self.found.items() if number not in there and found.into is None]

    @property
    def gone(self) -> set[int]:
        """Instances whose place another took."""
        return {number for number, found in self.found.items() if found.into is not None}


def tracked_by(
    how: Relabelling | None,
    before: Picture,
    after: Picture,
    ids: Ids,
    edited: NDArray[np.integer[Any]],
    anew: Mapping[int, Found],
) -> Tracked:
    """Where the defects of ids (H, W) are after an edit of pictures (H, W, 3); without a way to find them, unmoved.

    edited: numbers of the instances whose pixels the edit could change. One that overlaps its old mask less than it has
    to is gone. anew: masks of instances that were made anew, wherever they lie; of these no pixel of another's is one.
    """
    found: dict[int, Found] = dict(anew)
    now = ids.copy()
    now[np.isin(ids, list(anew))] = 0
    for number, made in anew.items():
        now[made.mask & (now == 0)] = number
    if how is None:
        return Tracked(now, found)
    for number in (number for number in np.unique(edited).tolist() if number and number not in anew):
        again = found_again(before, after, now, number, how.reach, how.settings.share)
        found[number] = again
        if again.overlap < how.settings.same:
            now[now == number] = 0
        if how.settings.least <= again.overlap < how.settings.same:
            now[again.mask] = number
    return Tracked(now, found)


def reclassed(classes: Ids, old: Ids, new: Ids, instances: Iterable[Instance], bits: Mapping[str, int]) -> Ids:
    """Class bits (H, W) that follow the defects from old ids to new ones; those of all others stay."""
    found = classes.copy()
    names = {instance.id: instance.class_name for instance in instances if instance.family == "defect"}
    shifted = [number for number in np.unique(old[old != new]).tolist() if number]
    shifted += [number for number in np.unique(new[old != new]).tolist() if number and number not in shifted]
    for number in shifted:
        left = (old == number) & (new != number)
        found[left] &= ~np.uint16(1 << bits[names[number]])
    for number in shifted:
        found[new == number] |= np.uint16(1 << bits[names[number]])
    return found


def told(old: Ids, tracked: Tracked) -> dict[str, Any]:
    """What a frame's record says: what came of every mask, and those of old that were found again.

    tracked: with the instances alone whose edit was accepted. The masks are COCO's compressed run lengths.
    """
    new, found = tracked.ids, tracked.found
    outcomes = {number: _outcome(number, old, tracked) for number in np.unique(old).tolist() if number}
    entries = [
        {
            "instance": number,
            "threshold": round(found[number].threshold, DIGITS),
            "overlap": round(found[number].overlap, DIGITS),
            "pixels": [int(np.count_nonzero(old == number)), int(np.count_nonzero(new == number))],
            "before": encoded(old == number),
            **({} if found[number].into is None else {"into": found[number].into}),
        }
        for number, outcome in outcomes.items()
        if outcome == RELABELLED
    ]
    gone = tracked.gone
    left = {str(number): outcome for number, outcome in outcomes.items() if number not in gone}
    return {"outcomes": left, "found_again": entries}


def _outcome(number: int, old: Ids, tracked: Tracked) -> str:
    if number not in tracked.found:
        return REFUSED
    return KEPT if np.array_equal(old == number, tracked.ids == number) else RELABELLED
