"""Regions of masks against those that scikit-image finds."""

import numpy as np
import pytest
from skimage.measure import label

from anomaly.evaluation.regions import numbered_regions


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.6, 1.0])
def test_regions_are_those_of_another_library(share: float) -> None:
    mask = np.random.default_rng(3).random((61, 87)) < share
    ours, theirs = numbered_regions(mask), label(mask, connectivity=2)
    assert np.array_equal(ours == 0, ~mask)
    # The same parts of the picture, whatever their numbers: as many pairs of numbers as there are numbers.
    pairs = np.unique(np.stack([ours, theirs], axis=-1).reshape(-1, 2), axis=0)
    assert len(pairs) == len(np.unique(ours)) == len(np.unique(theirs))


def test_corners_touch_and_views_are_taken() -> None:
    mask = np.eye(6, dtype=bool)
    assert numbered_regions(mask[::-1].T).max() == 1
    assert numbered_regions(mask[::2, ::2]).max() == 1
