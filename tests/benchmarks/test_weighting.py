"""What the benchmark of weights measures with: an AUROC, and spoiled windows that are what they are called."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anomaly.weighting.windows import SIDE, Window
from benchmarks.weighting import WAYS, auroc, spoiled


def test_the_auroc_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    good, bad = random.integers(0, 9, 40).astype(float), random.integers(3, 12, 25).astype(float)  # with ties
    expected = roc_auc_score([0] * 40 + [1] * 25, [*good, *bad])
    assert auroc(good, bad) == pytest.approx(expected)


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
