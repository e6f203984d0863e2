"""Least squares between bounds, against scipy's solvers."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares, lsq_linear

from scenes.calibration.descent import descended, half_square

Floats = NDArray[np.float64]


@pytest.mark.parametrize("seed", range(5))
def test_linear_problem_ends_where_bounded_least_squares_has_its_one_minimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, wanted = rng.standard_normal((30, 8)), 3 * rng.standard_normal(30)
    bounds = np.stack([np.full(8, -0.2), np.full(8, 0.3)], axis=1)
    found = descended(lambda place: matrix @ place - wanted, np.zeros(8), bounds)
    exact = lsq_linear(matrix, wanted, (bounds[:, 0], bounds[:, 1]), method="bvls", tol=1e-12)
    assert half_square(matrix @ found - wanted) == pytest.approx(exact.cost, rel=1e-5)
    held = exact.active_mask != 0
    assert held.any()
    np.testing.assert_array_equal(found[held], np.where(exact.active_mask < 0, -0.2, 0.3)[held])
    np.testing.assert_allclose(found, exact.x, atol=2e-3)


def rosenbrock(place: Floats) -> Floats:
    return np.array([10 * (place[1] - place[0] ** 2), 1 - place[0]])


@pytest.mark.parametrize(("low", "high"), [((-2.0, -2.0), (2.0, 2.0)), ((-2.0, -2.0), (0.5, 2.0))])
def test_curved_valley_ends_where_scipy_does(low: tuple[float, float], high: tuple[float, float]) -> None:
    start = np.array([-1.2, 1.0])
    found = descended(rosenbrock, start, np.stack([low, high], axis=1))
    exact = least_squares(rosenbrock, start, bounds=(low, high), xtol=1e-12, ftol=1e-12, gtol=1e-12)
    np.testing.assert_allclose(found, exact.x, atol=2e-3)


def test_a_start_that_nothing_improves_is_where_it_ends() -> None:
    bounds = np.array([[0.0, 1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(descended(lambda place: place + 1, np.zeros(2), bounds), [0, 0])
