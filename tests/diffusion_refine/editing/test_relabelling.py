"""Masks found again after edits of known extent."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from diffusion_refine.editing.label_check import Limits, check
from diffusion_refine.editing.relabelling import RelabelSettings, difference_map, found_again
from procgen.errors import BlemishError

SHAPE = (96, 110)
DARK, BRIGHT = -0.25, 0.2


def blob(row: float, column: float, height: float, width: float) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 <= 1


def bar(row: float, thickness: float, start: int, stop: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (np.abs(rows - row - 0.2 * columns) <= thickness / 2) & (columns >= start) & (columns < stop)


def picture(mask: NDArray[np.bool_], step: float, seed: int = 0, texture: int = 0, colour: bool = False) -> NDArray:
    """A ground surface with a defect of known extent, as optics show it. texture: seed of what is in the defect."""
    streaks = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), (0.7, 5))
    inside = step * (1 + 0.25 * gaussian_filter(np.random.default_rng(100 + texture).normal(size=SHAPE), 1))
    seen = gaussian_filter(0.5 + 0.03 * streaks / streaks.std() + np.where(mask, inside, 0.0), 0.6)
    seen = seen + 0.004 * np.random.default_rng(seed + 1).normal(size=SHAPE)
    return seen[..., None] * np.array([1.0, 0.9, 0.7]) if colour else seen


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


EDITS = {
    "grown": (blob(48, 50, 9, 9), blob(48, 50, 14, 14)),
    "shrunk": (blob(48, 50, 14, 14), blob(48, 50, 8, 8)),
    "moved": (blob(48, 50, 10, 12), blob(51, 55, 10, 12)),
    "longer": (bar(30, 5, 30, 60), bar(30, 5, 30, 66)),
    "thicker": (bar(30, 4, 30, 70), bar(30, 10, 30, 70)),
    "turned": (blob(48, 50, 6, 12), blob(48, 50, 12, 6)),
}


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("step", [DARK, BRIGHT])
@pytest.mark.parametrize("edit", EDITS)
def test_a_moved_edge_is_found(edit: str, step: float, colour: bool) -> None:
    old, new = EDITS[edit]
    before, after = picture(old, step, colour=colour), picture(new, step, texture=1, colour=colour)
    found = found_again(before, after, old.astype(np.uint16), 1, reach=8)
    assert overlap(found.mask, new) > 0.9
    assert overlap(old, new) < 0.9
    assert found.overlap == pytest.approx(overlap(found.mask, old))
    assert found.threshold == pytest.approx(abs(step) / 2, rel=0.3)
    # What lies beyond the old mask was found because the difference map exceeds the threshold there.
    assert (difference_map(before, after)[found.mask & ~old] > found.threshold).all()


@pytest.mark.parametrize("edit", EDITS)
def test_a_defect_that_looks_otherwise_in_the_same_place_keeps_its_mask(edit: str) -> None:
    old, _ = EDITS[edit]
    for step in (DARK, 0.6 * DARK, 1.5 * DARK, BRIGHT):
        found = found_again(picture(old, DARK), picture(old, step, texture=2), old.astype(np.uint16), 1, reach=8)
        assert found.overlap > 0.89  # a bar of four pixels is half edge


def test_nothing_changes_where_nothing_was_edited() -> None:
    old = blob(48, 50, 9, 9)
    old[40:43, 80:83] = True  # a speck that is the same defect
    seen = picture(old, DARK)
    found = found_again(seen, seen, old.astype(np.uint16), 1, reach=8)
    assert np.array_equal(found.mask, old)
    assert found.overlap == 1


def test_others_keep_their_pixels_and_specks_are_no_part_of_it() -> None:
    old, other = blob(48, 40, 8, 8), blob(48, 57, 8, 8)
    grown, speck = blob(48, 40, 14, 14), np.zeros(SHAPE, bool)
    speck[66:68, 40:42] = True
    ids = old * np.uint16(1) + other * np.uint16(2)
    found = found_again(picture(old | other, DARK), picture(grown | other | speck, DARK), ids, 1, reach=16)
    assert not (found.mask & other).any()
    assert overlap(found.mask, grown & ~other) > 0.9
    assert not (found.mask & speck).any()


def test_the_window_bounds_what_is_found() -> None:
    old, grown = blob(48, 50, 8, 8), blob(48, 50, 16, 16)
    found = found_again(picture(old, DARK), picture(grown, DARK), old.astype(np.uint16), 1, reach=3)
    assert not found.mask[:, :39].any()
    assert found.mask[48, 40:61].all()


def test_a_healed_defect_overlaps_its_mask_no_more() -> None:
    old = blob(48, 50, 9, 9)
    found = found_again(picture(old, DARK), picture(old & False, DARK), old.astype(np.uint16), 1, reach=8)
    assert found.overlap < RelabelSettings().least


def test_the_label_check_judges_a_grown_defect_by_its_own_mask() -> None:
    old, new = EDITS["grown"]
    before, after = picture(old, DARK), picture(new, DARK, texture=1)
    ids, moved = old.astype(np.uint16), new.astype(np.uint16)
    (refused,), (accepted,) = check(before, after, ids), check(before, after, ids, Limits(), moved)
    assert not refused.accepted
    assert accepted.accepted, accepted
    (gone,) = check(before, after, ids, Limits(), moved * np.uint16(0))
    assert "not found again" in gone.reason


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(BlemishError, match="share"):
        RelabelSettings(share=1.5)
