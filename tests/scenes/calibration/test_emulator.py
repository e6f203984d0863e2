"""The emulator and its inversion on functions that are known, beside scikit-learn's ridge."""

import numpy as np
import pytest

from scenes.calibration.emulator import emulator, inverted, recovered, ridge, terms_of

RNG = np.random.default_rng(1)
UNITS = RNG.uniform(size=(300, 4))
NOISE = 0.02 * RNG.standard_normal((300, 3))
STATISTICS = (
    np.stack([UNITS[:, 0] ** 2, UNITS[:, 0] * UNITS[:, 1] + 0.5 * UNITS[:, 1], UNITS[:, 2] - UNITS[:, 1]], axis=1)
    + NOISE
)
ALL = np.ones(300)
NONE = np.zeros(300, bool)


def test_quadratic_functions_are_learnt_to_the_noise() -> None:
    learnt = emulator(UNITS, STATISTICS, ALL, NONE)
    fresh = RNG.uniform(size=(100, 4))
    truth = np.stack(
        [fresh[:, 0] ** 2, fresh[:, 0] * fresh[:, 1] + 0.5 * fresh[:, 1], fresh[:, 2] - fresh[:, 1]], axis=1
    )
    assert np.abs(learnt(fresh) - truth).max() < 0.03
    np.testing.assert_allclose(learnt.residuals.std(axis=0), NOISE.std(axis=0), rtol=0.1)
    assert (learnt.explained > 0.97).all()


def test_ridge_is_scikit_learns() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    terms, weights = terms_of(UNITS[:40]), RNG.uniform(0.1, 2, 40)
    ours = ridge(terms, STATISTICS[:40], weights)
    scaled = (terms - ours.middle) / ours.scale
    # Which penalty was chosen is told by what it leaves: theirs must agree at one of ours.
    agree = []
    for power in range(-4, 4):
        alpha = 10.0**power * len(terms) * weights.mean()
        theirs = linear_model.Ridge(alpha=alpha, fit_intercept=True).fit(scaled, STATISTICS[:40], sample_weight=weights)
        agree.append(np.allclose(theirs.coef_.T, ours.coefficients, rtol=1e-6, atol=1e-9))
    assert any(agree)


def test_what_pictures_do_not_show_is_not_recovered() -> None:
    found = recovered(UNITS, STATISTICS, np.arange(300), seed=0)
    assert (found[:3] > 0.9).all()
    assert found[3] < 0.1


def test_looks_of_one_render_are_not_parted() -> None:
    """Each render has a mark of its own, by which an inversion that saw its other looks knows every parameter."""
    units = np.repeat(RNG.uniform(size=(40, 1)), 5, axis=0)
    marks = np.repeat(RNG.normal(size=(40, 12)), 5, axis=0)
    assert recovered(units, marks, np.repeat(np.arange(40), 5), seed=0)[0] < 0.2


def test_inversion_finds_what_was_put_in() -> None:
    found = inverted(UNITS[:250], STATISTICS[:250], STATISTICS[250:])
    assert np.abs(found - UNITS[250:])[:, :3].mean() < 0.06
    assert found.min() >= 0
    assert found.max() <= 1
