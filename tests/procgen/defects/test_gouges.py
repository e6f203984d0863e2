"""Gouges: where groove, lips and smear lie, and how ragged the sides are."""

import numpy as np
import pytest

from procgen.defects.gouges import Gouge
from procgen.errors import BlemishError
from procgen.surface.paths import Path

STRAIGHT = Path(np.array([[0.0, 0.0, 0.0], [0.02, 0.0, 0.0]]))
PLAIN = {"path": STRAIGHT, "width": 2e-3, "depth": 2e-4, "ragged": 0.0, "tear": 0.0}


def grid():
    u, v = np.meshgrid(np.linspace(0, 0.02, 401), np.linspace(-4e-3, 4e-3, 321))
    return np.stack([u, v, 0 * u], axis=-1).reshape(-1, 3)


def test_without_raggedness_the_floor_is_flat_and_the_sides_are_straight():
    points = grid()
    sample = Gouge(**PLAIN, instance=2).evaluate(points)
    q = np.abs(points[:, 1]) / 1e-3
    np.testing.assert_array_equal(sample.inside, q <= 1 + 1e-12)
    np.testing.assert_array_equal(sample.instance, 2 * sample.inside)
    np.testing.assert_allclose(sample.height, -2e-4 * np.maximum(1 - q**4, 0), atol=1e-9)


def test_the_tool_digs_in_from_nothing():
    sample = Gouge(**PLAIN, run_in=0.01).evaluate(np.array([[x, 0.0, 0.0] for x in (0.0025, 0.005, 0.015)]))
    np.testing.assert_allclose(sample.height, [-0.5e-4, -1e-4, -2e-4], rtol=1e-6)


def test_torn_metal_stands_up_at_the_end_and_lips_beside_the_mask():
    points = grid()
    sample = Gouge(**PLAIN, smear=4e-3, smear_height=1e-4, lip=5e-5, seed=1).evaluate(points)
    in_smear = points[:, 0] > 0.016 + 1e-9
    assert (sample.height[sample.inside & in_smear] >= 0).all()
    assert 5e-5 < sample.height[in_smear].max() <= 1.8e-4
    assert (sample.height[sample.inside & ~in_smear] <= 0).all()
    lips = ~sample.inside & (sample.height != 0)
    assert lips.any()
    assert 0 < sample.height[lips].max() <= 5e-5
    assert not (lips & in_smear).any()


@pytest.mark.parametrize("ragged", [0.1, 0.3])
def test_either_side_wanders_for_itself_with_the_given_spread(ragged):
    long = Path(np.array([[0.0, 0.0, 0.0], [0.4, 0.0, 0.0]]))
    gouge = Gouge(**PLAIN | {"path": long, "ragged": ragged}, seed=5)
    along = np.linspace(0.0, 0.4, 4000)
    left, right = (np.log(gouge._half_width(along, np.full(4000, side)) / 1e-3) for side in (1.0, -1.0))
    assert left.std() == pytest.approx(ragged, rel=0.15)
    assert right.std() == pytest.approx(ragged, rel=0.15)
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.15


def test_the_mask_is_as_wide_as_its_sides_say():
    gouge = Gouge(**PLAIN | {"ragged": 0.3, "tear": 0.3}, seed=3)
    points = grid()
    inside = gouge.evaluate(points).inside
    np.testing.assert_array_equal(inside, np.abs(points[:, 1]) <= gouge._half_width(points[:, 0], points[:, 1]))
    part = slice(60_000, 60_500)
    np.testing.assert_array_equal(gouge.evaluate(points[part]).height, gouge.evaluate(points).height[part])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0.0}, "width = 0; expected a finite number, positive"),
        ({"tear": float("nan")}, "tear = nan"),
        ({"run_in": 0.012, "smear": 0.01}, r"run_in \+ smear = 0\.022 m on a path of 0\.02 m"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        Gouge(**PLAIN | changes)
