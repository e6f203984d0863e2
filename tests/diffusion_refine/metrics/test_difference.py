"""Difference maps and their pictures."""

import numpy as np
from skimage.filters import sobel_h

from diffusion_refine.metrics.difference import (
    MARK,
    Comparison,
    comparison_sheet,
    edge_difference,
    edge_difference_picture,
    edges,
    pixel_difference,
    pixel_difference_picture,
)


def test_a_step_from_black_to_white_is_the_steepest_edge() -> None:
    step = np.zeros((9, 9))
    step[:, 5:] = 1.0
    found = edges(step)
    assert found.max() == 1.0
    np.testing.assert_array_equal(np.flatnonzero(found[4]), [4, 5])


def test_edges_agree_with_another_library() -> None:
    ramp = np.linspace(0, 1, 20)[:, None] ** 2 * np.ones(12)
    np.testing.assert_allclose(edges(ramp)[2:-2, 2:-2], np.abs(sobel_h(ramp))[2:-2, 2:-2], atol=1e-12)


def test_same_edges_in_other_tone_differ_in_pixels_and_not_in_edges() -> None:
    before = np.random.default_rng(0).random((20, 20, 3)) * 0.5
    after = before + 0.2
    assert np.allclose(pixel_difference(before, after), 0.2)
    assert np.abs(edge_difference(before, after)).max() < 1e-12
    assert not edge_difference_picture(before, after)[..., 1:].any()  # "hot" begins at a nearly black red


def test_pictures_colour_the_change_and_outline_the_mask() -> None:
    before = np.zeros((40, 40))
    after = before.copy()
    after[10:20, 10:20] = 1.0
    mask = after > 0
    picture = pixel_difference_picture(before, after, mask)
    assert tuple(picture[15, 15]) == (128, 0, 0)  # the last colour of jet
    assert tuple(picture[35, 35]) == (0, 0, 128)  # its first
    assert tuple(picture[8, 15]) == MARK
    assert tuple(picture[9, 15]) != MARK


def test_a_sheet_holds_every_picture_whole() -> None:
    before = np.full((30, 50, 3), (0.2, 0.4, 0.8))
    rows = [Comparison("one", before, before, np.zeros((30, 50), bool))] * 3
    sheet = comparison_sheet(rows, height=60)
    assert (sheet == (51, 102, 204)).all(axis=2).sum() == 3 * 2 * 60 * 100
