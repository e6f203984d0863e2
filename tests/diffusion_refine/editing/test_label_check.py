"""The label check on defects that are left, erased, moved, weakened or doubled by hand."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, gaussian_filter

from diffusion_refine.editing.label_check import BARELY, Limits, check

SIZE = 96
LINE, BLOB, RELIEF = "a dark line", "a bright blob", "relief of the surface's own tone"


def surface(seed: int) -> NDArray[np.float64]:
    """Ground metal: noise that is long along the rows, and that of a sensor."""
    rng = np.random.default_rng(seed)
    streaks = gaussian_filter(rng.normal(size=(SIZE, SIZE)), (0.8, 6.0))
    return 0.45 + 0.04 * streaks / streaks.std() + 0.008 * rng.normal(size=(SIZE, SIZE))


def defect(kind: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What a defect adds to the surface, and its mask."""
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(float)
    if kind == LINE:
        mask = (np.abs(rows - 48 - 0.5 * (columns - 48)) <= 2) & (np.abs(columns - 48) < 20)
        return np.where(mask, -0.2, 0.0), mask
    mask = np.hypot(rows - 46, columns - 50) <= 9
    if kind == BLOB:
        return np.where(mask, 0.22, 0.0), mask
    return np.where(mask, 0.15 * np.sin(rows * 1.3) * np.sin(columns * 1.2), 0.0), mask


def flawed(kind: str, seed: int = 3) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint16]]:
    """Surface without and with the defect, and its ids."""
    change, mask = defect(kind)
    clean = surface(seed)
    return clean, gaussian_filter(clean + change, 0.5), mask.astype(np.uint16)


@pytest.mark.parametrize("kind", [LINE, BLOB, RELIEF])
def test_what_was_not_touched_or_only_made_another_exposure_stands(kind: str) -> None:
    _, before, ids = flawed(kind)
    rng = np.random.default_rng(8)
    for after in (before, before**1.25, 0.8 * before + 0.1, before + 0.012 * rng.normal(size=before.shape)):
        (verdict,) = check(before, after, ids)
        assert verdict.accepted, verdict
        assert verdict.visible is not None


@pytest.mark.parametrize("kind", [LINE, BLOB, RELIEF])
@pytest.mark.parametrize("seed", [3, 4, 5])
def test_what_was_erased_is_refused(kind: str, seed: int) -> None:
    clean, before, ids = flawed(kind, seed)
    for after in (clean, surface(seed + 50), np.full_like(before, 0.45)):
        (verdict,) = check(before, after, ids)
        assert not verdict.accepted, verdict
        assert "visible" in verdict.reason or "in place" in verdict.reason


@pytest.mark.parametrize(("kind", "shift"), [(LINE, (-7, 5)), (BLOB, (9, 9)), (BLOB, (0, -14)), (RELIEF, (10, 10))])
def test_what_was_moved_is_refused(kind: str, shift: tuple[int, int]) -> None:
    clean, before, ids = flawed(kind)
    change = np.roll(defect(kind)[0], shift, (0, 1))
    (verdict,) = check(before, gaussian_filter(clean + change, 0.5), ids)
    assert not verdict.accepted, verdict


def test_a_second_thing_beside_the_mask_is_refused_and_told_as_such() -> None:
    _, before, ids = flawed(LINE)
    after = before.copy()
    after[62:67, 44:49] -= 0.25
    (verdict,) = check(before, after, ids)
    assert not verdict.accepted
    assert verdict.reason.startswith("stray")
    (verdict,) = check(before, after, ids, Limits(stray=10.0))
    assert verdict.accepted


@pytest.mark.parametrize("kind", [LINE, BLOB])
@pytest.mark.parametrize("pixels", [2, 3, 4, 6])
def test_what_grew_over_its_mask_is_refused(kind: str, pixels: int) -> None:
    clean, before, ids = flawed(kind)
    change, mask = defect(kind)
    grown = clean + change[mask][0] * binary_dilation(mask, np.ones((3, 3)), iterations=pixels)
    (verdict,) = check(before, gaussian_filter(grown, 0.5), ids)
    assert not verdict.accepted
    assert pixels > 3 or "spill" in verdict.reason


def test_another_kind_in_the_same_place_stands() -> None:
    """A word swap may turn dark to bright: only where it is counts."""
    clean, before, ids = flawed(LINE)
    (verdict,) = check(before, gaussian_filter(clean - defect(LINE)[0], 0.5), ids)
    assert verdict.accepted, verdict


def test_thresholds_decide_and_are_told() -> None:
    clean, before, ids = flawed(BLOB)
    half = (clean + before) / 2
    (strict,), (lenient,) = (check(before, half, ids, Limits(visible=share)) for share in (0.8, 0.3))
    assert not strict.accepted
    assert lenient.accepted
    assert "0.8" in strict.reason
    assert "visible >= 0.8" in str(Limits(visible=0.8))
    with pytest.raises(ValueError, match="visible"):
        Limits(visible=-1.0)


def test_each_defect_is_judged_by_itself_and_what_cannot_be_judged_says_so() -> None:
    clean = surface(1)
    ids = np.zeros((SIZE, SIZE), np.uint16)
    ids[20:30, 20:30], ids[60:70, 60:70], ids[80:82, 10:12] = 4, 9, 11
    before = clean - 0.2 * (ids > 0)
    after = before.copy()
    after[60:70, 60:70] = clean[60:70, 60:70]
    first, second, small = check(before, after, ids)
    assert (first.instance, second.instance, small.instance) == (4, 9, 11)
    assert first.accepted
    assert not second.accepted
    assert small.accepted
    assert "too small" in small.reason


def test_a_defect_that_nobody_could_see_may_stay_unseen() -> None:
    clean = surface(2)
    ids = np.zeros((SIZE, SIZE), np.uint16)
    ids[40:50, 40:60] = 1
    (verdict,) = check(clean, clean, ids)
    assert verdict.accepted
    if verdict.visible is not None:  # chance may make the surface differ there
        assert verdict.visible == pytest.approx(1.0)
    assert BARELY > 0


def test_colour_alone_counts() -> None:
    clean = np.repeat(surface(6)[..., None], 3, axis=2)
    ids = np.zeros((SIZE, SIZE), np.uint16)
    ids[40:52, 40:52] = 1
    before = clean.copy()
    before[ids > 0] += (0.15, -0.15, 0.0)  # of the same luminance
    assert check(before, before, ids)[0].visible == pytest.approx(1.0)
    assert not check(before, clean, ids)[0].accepted


def test_real_defects_stand_and_are_missed_when_filled_with_real_surface(real_data: Path) -> None:
    judged = refused = 0
    for path in sorted((real_data / "magnetic_tile").glob("tile_Blowhole*.jpg"))[:12]:
        before = np.asarray(Image.open(path).convert("L")) / 255.0
        ids = (np.asarray(Image.open(path.with_name(f"{path.stem}_mask.png")).convert("L")) > 0).astype(np.uint16)
        (same,) = check(before, before, ids)
        assert same.accepted
        if same.visible is None:
            continue
        grown = binary_dilation(ids > 0, iterations=3)
        erased, other = before.copy(), np.roll(before, 40, axis=0)  # surface from elsewhere, in the tone of this place
        tone = before[binary_dilation(grown, iterations=6) & ~grown].mean() - other[grown].mean()
        erased[grown] = other[grown] + tone
        judged += 1
        refused += not check(before, erased, ids)[0].accepted
    assert judged >= 8
    assert refused >= 0.9 * judged
