"""The method `cutpaste`."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional

from diffusion_refine.synthesis.cutpaste.generator import patch_sides, turned, turned_rectangle
from diffusion_refine.synthesis.cutpaste.jitter import brightened, contrasted, grey, hue_turned, jittered, saturated


@pytest.mark.parametrize(
    ("ours", "theirs", "amount"),
    [
        (brightened, functional.adjust_brightness, 1.1),
        (contrasted, functional.adjust_contrast, 0.9),
        (saturated, functional.adjust_saturation, 0.92),
        (hue_turned, functional.adjust_hue, -0.07),
    ],
)
def test_colours_change_as_torchvisions_do(ours, theirs, amount: float) -> None:
    piece = np.random.default_rng(0).random((12, 9, 3))
    expected = theirs(torch.from_numpy(piece.transpose(2, 0, 1)), amount).numpy().transpose(1, 2, 0)
    assert ours(piece, amount) == pytest.approx(expected, abs=2e-4)


def test_jitter_keeps_grey_grey_and_leaves_all_as_it_is_where_it_is_nothing() -> None:
    piece = np.random.default_rng(0).random((12, 9))
    assert jittered(piece, 0.1, np.random.default_rng(1)).shape == piece.shape
    assert jittered(piece, 0.0, np.random.default_rng(1)) == pytest.approx(piece)
    assert grey(np.repeat(piece[..., None], 3, axis=2)) == pytest.approx(piece)


def test_sides_of_patches_are_those_of_the_paper() -> None:
    random = np.random.default_rng(0)
    sides = np.array([patch_sides((256, 256), (0.02, 0.15), 1 / 0.3, random) for _ in range(2000)])
    shares = sides.prod(axis=1) / 256**2
    assert 0.019 < shares.min() < 0.022
    assert 0.14 < shares.max() < 0.152
    ratios = sides[:, 1] / sides[:, 0]
    assert 0.28 < ratios.min() < ratios.max() < 3.5
    assert np.mean(ratios > 1) == pytest.approx(0.5, abs=0.05)


@given(st.integers(2, 25), st.integers(2, 25), st.floats(-math.pi / 4, math.pi / 4))
def test_a_turned_rectangle_keeps_its_area_and_shows_its_own_pixels(length: int, width: int, angle: float) -> None:
    mask, rows, columns = turned_rectangle(length, width, angle)
    assert mask.any()
    assert abs(mask.sum() - length * width) <= 1.5 * (length + width)
    assert rows[mask].min() >= -0.5 - 1e-9
    assert rows[mask].max() <= length - 0.5 + 1e-9
    assert columns[mask].min() >= -0.5 - 1e-9
    assert columns[mask].max() <= width - 0.5 + 1e-9
    # A plane is linear, so that it is sampled without an error inside the outermost pixels' centres.
    plane = np.add.outer(2.0 * np.arange(length), 3.0 * np.arange(width))
    found = turned(plane, rows, columns)
    within = (rows >= 0) & (rows <= length - 1) & (columns >= 0) & (columns <= width - 1)
    assert found[within] == pytest.approx((2 * rows + 3 * columns)[within])


def test_an_unturned_rectangle_is_an_exact_copy() -> None:
    mask, rows, columns = turned_rectangle(7, 4, 0.0)
    piece = np.random.default_rng(0).random((7, 4, 3))
    assert mask.all()
    assert np.array_equal(turned(piece, rows, columns), piece)
