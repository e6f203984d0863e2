"""Chipped edges: the size of what broke off, and that the fracture replaces the surface."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procgen.defects.chipping import ChipParameters, ChippedEdge, simulate_chip
from procgen.errors import BlemishError
from procgen.surface.anchor import Anchor

BORDER = Anchor((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
PARAMETERS = ChipParameters(length=6e-3, reach=3e-3, depth=6e-4)
STEP = 4e-5


def grid():
    u, v = np.meshgrid(np.arange(-125, 126) * STEP, np.arange(0, 130) * STEP)
    return np.stack([u, v, 0 * u], axis=-1).reshape(-1, 3)


def chip(seed, parameters=PARAMETERS, **changes):
    return ChippedEdge(BORDER, parameters, simulate_chip(parameters, np.random.default_rng(seed)), **changes)


def test_without_irregularity_a_single_shell_is_half_an_ellipse():
    parameters = replace(PARAMETERS, hollows=1, irregularity=0.0, ripple=0.0, grain=0.0)
    one = chip(3, parameters)
    points = grid()
    skewed = points[:, 0] / 3e-3 - one.hollows.skews[0] * points[:, 1] / 3e-3
    q = np.hypot(skewed, points[:, 1] / 3e-3)
    sample = one.evaluate(points)
    clear = np.abs(q - 1) > 1e-6
    np.testing.assert_array_equal(sample.inside[clear], q[clear] < 1)
    assert sample.height.min() == pytest.approx(-6e-4)
    assert sample.inside.sum() * STEP**2 == pytest.approx(0.5 * np.pi * 3e-3 * 3e-3, rel=0.03)
    falling = sample.height[np.argsort(q)]
    assert (np.diff(falling[: int(sample.inside.sum())]) > -1e-9).all()


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), hollows=st.integers(1, 6), irregularity=st.floats(0, 0.3))
def test_fracture_lies_below_the_surface_and_hides_it(seed, hollows, irregularity):
    points = grid()
    sample = chip(
        seed, replace(PARAMETERS, hollows=hollows, irregularity=irregularity), reflectance=0.12, instance=5
    ).evaluate(points)
    assert sample.inside.any()
    assert (sample.height <= 0).all()
    assert sample.height.min() >= -6e-4 * 1.1 - 1e-4
    np.testing.assert_array_equal(sample.opacity, sample.inside)
    np.testing.assert_array_equal(sample.instance, 5 * sample.inside)
    assert not sample.height[~sample.inside].any()
    for values in (sample.height, sample.reflectance, sample.roughness):
        assert np.isfinite(values).all()


def test_irregular_chips_have_the_size_that_was_asked_for():
    points, sizes = grid(), []
    for seed in range(30):
        inside = chip(seed).evaluate(points).inside
        sizes.append((np.ptp(points[inside & (points[:, 1] < STEP), 0]), points[inside, 1].max()))
    length, reach = np.median(sizes, axis=0)
    assert length == pytest.approx(6e-3, rel=0.2)
    assert reach == pytest.approx(3e-3, rel=0.15)


def test_it_is_darkest_under_its_rim():
    parameters = replace(PARAMETERS, hollows=1, irregularity=0.0, depth=2e-3, grain=0.0)
    sample = chip(0, parameters, grain_contrast=0.0, reflectance=0.2).evaluate(grid())
    y = grid()[:, 1]
    middle = sample.inside & (np.abs(grid()[:, 0]) < STEP / 2)
    near_border, near_rim = middle & (y < 2e-4), middle & (y > 0.85 * y[middle].max()) & (y < 0.95 * y[middle].max())
    assert sample.reflectance[near_rim].mean() < 0.8 * sample.reflectance[near_border].mean()
    assert sample.reflectance[near_border].mean() <= 0.2


def test_a_point_is_told_the_same_in_any_company():
    points = grid()
    together, apart = chip(1).evaluate(points), chip(1).evaluate(points[5000:5200])
    np.testing.assert_array_equal(together.height[5000:5200], apart.height)
    np.testing.assert_array_equal(together.reflectance[5000:5200], apart.reflectance)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 0.0}, "length = 0; expected a finite number, positive"),
        ({"hollows": 0}, "hollows = 0"),
        ({"ripple": float("nan")}, "ripple = nan"),
        ({"grain_size": -1.0}, "grain_size = -1"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        replace(PARAMETERS, **changes)
