"""Regions of masks against those that scikit-image finds."""

import numpy as np
import pytest
from skimage.measure import label

from scenes.pictures import regions
from scenes.pictures.regions import BandedRegions, bands, numbered_regions


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.6, 1.0])
def test_regions_are_those_of_another_library(share: float) -> None:
    mask = np.random.default_rng(3).random((61, 87)) < share
    ours, theirs = numbered_regions(mask), label(mask, connectivity=2)
    assert np.array_equal(ours == 0, ~mask)
    # The same parts of the picture, whatever their numbers: as many pairs of numbers as there are numbers.
    pairs = np.unique(np.stack([ours, theirs], axis=-1).reshape(-1, 2), axis=0)
    assert len(pairs) == len(np.unique(ours)) == len(np.unique(theirs))
    assert_numbered_by_first_pixels(ours)


def assert_numbered_by_first_pixels(numbers: np.ndarray) -> None:
    seen = list(dict.fromkeys(numbers[numbers > 0].tolist()))  # in the order in which rows show them
    assert seen == list(range(1, len(seen) + 1))


def test_corners_touch_and_views_are_taken() -> None:
    mask = np.eye(6, dtype=bool)
    assert numbered_regions(mask[::-1].T).max() == 1
    assert numbered_regions(mask[::2, ::2]).max() == 1


@pytest.mark.parametrize("share", [0.0, 0.3, 0.42, 0.6, 1.0])
@pytest.mark.parametrize("band", [1, 87, 500, 10_000])
def test_regions_found_band_by_band_are_those_of_the_whole(share: float, band: int, monkeypatch) -> None:
    monkeypatch.setattr(regions, "BAND", band)
    mask = np.random.default_rng(3).random((61, 87)) < share
    banded = BandedRegions(mask)
    assert [row for rows in bands(mask.shape) for row in range(rows.start, rows.stop)] == list(range(61))
    ours = np.concatenate([banded.numbers(rows) for rows in banded.bands])
    theirs = label(mask, connectivity=2)
    pairs = np.unique(np.stack([ours, theirs], axis=-1).reshape(-1, 2), axis=0)
    assert np.array_equal(ours == 0, ~mask)
    assert len(pairs) == len(np.unique(ours)) == len(np.unique(theirs))
    assert_numbered_by_first_pixels(ours)
    assert banded.sizes[1:].tolist() == np.bincount(ours.ravel())[1:].tolist()
    assert banded.sizes[0] == 0
