"""What the benchmark of weights measures with: an AUROC, and spoiled windows that are what they are called."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anomaly.weighting.windows import SIDE, Window
from benchmarks.weighting import WAYS, Size, auroc, grouped, half_spoiled, spoiled, worth


def test_the_auroc_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    good, bad = random.integers(0, 9, 40).astype(float), random.integers(3, 12, 25).astype(float)  # with ties
    expected = roc_auc_score([0] * 40 + [1] * 25, [*good, *bad])
    assert auroc(good, bad) == pytest.approx(expected)


def test_what_groups_are_worth_is_found_in_losses_that_follow_from_it() -> None:
    random = np.random.default_rng(3)
    true = random.normal(size=Size().groups)
    learnt = np.stack([random.permutation(np.arange(Size().groups) % 2) for _ in range(200)]).astype(float)
    found = worth(learnt, 5.0 - learnt @ true + random.normal(size=200) * 0.1)
    assert np.corrcoef(found, true)[0, 1] > 0.99


def test_half_of_the_windows_is_spoiled_and_groups_are_of_one_kind() -> None:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[20:30, 20:30] = True
    image = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
    windows = [Window(image, mask, np.full_like(image, 9)) for _ in range(96)]
    found, told = half_spoiled(windows, WAYS, 1)
    assert [told.count(way) for way in ("", *WAYS)] == [48, 12, 12, 12, 12]
    assert all((new is old) == (not way) for new, old, way in zip(found, windows, told, strict=True))
    groups = grouped(told, 1, Size().groups)
    assert np.bincount(groups).tolist() == [4] * Size().groups
    assert all(len({told[place] for place in np.flatnonzero(groups == group)}) == 1 for group in range(Size().groups))


@pytest.mark.parametrize("way", WAYS)
def test_windows_are_spoiled_as_said(way: str) -> None:
    image = np.full((SIDE, SIDE, 3), 150, np.uint8)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[28:36, 28:36] = True
    sound = Window(np.where(mask[..., None], np.uint8(60), image), mask, image)
    found = spoiled(sound, way, np.random.default_rng(1))
    if way == "shifted":
        assert np.array_equal(found.image, sound.image)
        assert found.mask.sum() == mask.sum()
        assert not (found.mask & mask).any()
        return
    assert np.array_equal(found.mask, mask)
    inside = found.image[mask].astype(float)
    if way == "no defect":
        assert np.array_equal(found.image, image)
    elif way == "foreign":
        assert np.array_equal(found.image[~mask], sound.image[~mask])
        assert inside.std() > 10
    else:
        assert inside.min() > 60
        assert not np.array_equal(found.image[~mask], sound.image[~mask])
