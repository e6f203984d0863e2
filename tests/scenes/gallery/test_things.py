"""Things on frames, against closed forms and pycocotools."""

import numpy as np
import pytest
from pycocotools import mask as run_length

from scenes.gallery.things import contrast_to_noise, middle, things
from scenes.pictures.surroundings import GAP, RING


def test_contrast_is_the_step_in_units_of_the_noise_around() -> None:
    rng = np.random.default_rng(0)
    grey = rng.normal(0.5, 0.02, (120, 120)).astype(np.float32)
    mask = np.zeros((120, 120), bool)
    mask[40:80, 40:80] = True
    grey[mask] += 0.1
    bare = ~mask
    assert contrast_to_noise(grey, mask, bare) == pytest.approx(5, rel=0.1)
    assert contrast_to_noise(grey - 0.2 * mask, mask, bare) == pytest.approx(5, rel=0.1)  # dark as plain as bright


def test_what_is_blurred_at_the_border_or_covered_by_others_is_no_surrounding() -> None:
    rng = np.random.default_rng(1)
    grey = rng.normal(0.5, 0.02, (120, 120)).astype(np.float32)
    mask = np.zeros((120, 120), bool)
    mask[40:80, 40:80] = True
    other = np.zeros_like(mask)
    other[40 - GAP : 80 + GAP, 40 - GAP : 80 + GAP] = True  # the lens's blur
    other[:, :40] |= True  # another thing
    plain = contrast_to_noise(grey + 0.1 * mask, mask, ~mask & ~other)
    assert contrast_to_noise(grey + 0.1 * mask + 5 * (other & ~mask), mask, ~mask & ~other) == plain
    assert np.isnan(contrast_to_noise(grey, mask, np.zeros_like(mask)))
    far = np.ones_like(mask)
    far[40 - GAP - RING : 80 + GAP + RING, 40 - GAP - RING : 80 + GAP + RING] = False
    assert np.isnan(contrast_to_noise(grey, mask, far))  # what is far says nothing of here


def test_noise_below_what_eight_bits_show_makes_no_contrast_endless() -> None:
    mask = np.zeros((40, 40), bool)
    mask[10:20, 10:20] = True
    grey = np.full((40, 40), 0.5, np.float32) + 0.1 * mask
    assert contrast_to_noise(grey.astype(np.float32), mask, ~mask) == pytest.approx(51, rel=0.01)


def test_the_middle_of_a_bow_lies_on_it() -> None:
    rows, columns = np.mgrid[:50, :50]
    bow = (np.abs(np.hypot(rows - 25, columns - 25) - 20) < 2) & (columns < 30)
    assert bow[middle(bow)]


def test_things_are_those_of_the_masks(make) -> None:
    dataset = make(3)
    assert things(dataset[1]) == []
    crack, stain = things(dataset[0])
    for thing, mask in ((crack, dataset[0].defects == 1), (stain, dataset[0].impurities == 2)):
        decoded = run_length.decode({"size": list(mask.shape), "counts": thing.runs.encode()})
        assert np.array_equal(decoded.astype(bool), mask)
        assert thing.area == mask.sum()
        rows, columns = np.nonzero(mask)
        assert thing.row * mask.shape[0] == pytest.approx(rows.mean() + 0.5, abs=1)
        assert thing.column * mask.shape[1] == pytest.approx(columns.mean() + 0.5, abs=1)
    assert (crack.class_name, stain.class_name) == ("crack", "water_stain")
    # Noise of 10 a channel, the mean of three: 100 grey levels are 17 deviations, rounding aside.
    assert crack.contrast == pytest.approx(100 * np.sqrt(3) / 10, rel=0.15)
    assert stain.contrast < 1
    assert crack.chart == stain.chart == 0
