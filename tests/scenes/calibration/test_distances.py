"""Distances of sets of statistics, beside scipy's and with outliers."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from scenes.calibration.distances import (
    SHARES,
    centre_and_scale,
    floor_distance,
    projected,
    quantile_distance,
    quantiles,
    share_nearer,
)

RNG = np.random.default_rng(3)


def test_quantiles_are_numpys() -> None:
    rows = RNG.normal(size=(17, 4))
    np.testing.assert_allclose(quantiles(rows), np.quantile(rows, SHARES, axis=0))
    np.testing.assert_allclose(quantiles(rows[:1]), np.repeat(rows[:1], len(SHARES), axis=0))


def test_the_distance_of_a_shift_is_the_shift_and_wassersteins() -> None:
    rows = RNG.normal(size=(4000, 1))
    other = 2 * RNG.normal(size=(4000, 1)) + 1.5
    assert quantile_distance(rows, rows + 0.7) == pytest.approx(0.7)
    whole = wasserstein_distance(rows[:, 0], other[:, 0])
    assert quantile_distance(rows, other) == pytest.approx(whole, rel=0.1)  # all but the tails


def test_odd_ones_weigh_nothing() -> None:
    rows, other = RNG.normal(size=(20, 6)), RNG.normal(size=(40, 6))
    spoilt = np.vstack([rows, np.full((1, 6), 1e6)])
    assert quantile_distance(spoilt, other) < quantile_distance(rows, other) + 0.2
    np.testing.assert_allclose(centre_and_scale(spoilt)[1], centre_and_scale(rows)[1], rtol=0.4)


def test_the_floor_is_that_of_sets_of_one_kind_and_parts_no_surface() -> None:
    rows = RNG.normal(size=(30, 5))
    groups = np.repeat([f"{k}" for k in range(15)], 2)
    twins = rows.copy()
    twins[1::2] = twins[::2]
    floor = floor_distance(rows, groups, 10, seed=0)
    assert floor == pytest.approx(
        np.mean([quantile_distance(RNG.normal(size=(10, 5)), RNG.normal(size=(20, 5))) for _ in range(100)]), rel=0.3
    )
    assert floor_distance(twins, groups, 10, seed=0) > floor_distance(rows, groups, 10, seed=0) * 0.9


def test_which_of_two_is_nearer() -> None:
    real = RNG.normal(size=(12, 8))
    near, far = RNG.normal(size=(30, 8)) + 0.2, RNG.normal(size=(30, 8)) + 1.5
    assert share_nearer(real, far, near, seed=0) == 1
    assert share_nearer(real, near, far, seed=0) == 0
    assert 0.1 < share_nearer(real, near, RNG.normal(size=(30, 8)) + 0.2, seed=0) < 0.9


def test_projections_keep_lengths_on_average() -> None:
    rows = RNG.normal(size=(50, 300))
    assert (projected(rows, 0) ** 2).mean() == pytest.approx((rows**2).mean(), rel=0.1)
    np.testing.assert_array_equal(projected(rows, 0), projected(rows, 0))
