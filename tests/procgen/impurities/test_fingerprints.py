"""Fingerprints: the flow, the period and the singularities of their ridges, measured in the ridges themselves."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from procgen.errors import BlemishError
from procgen.impurities.fingerprints import Fingerprint, FingerprintParameters, ridge_direction, simulate_ridges
from procgen.surface.anchor import Anchor

FLAT = Anchor((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
PATTERNS = ("arch", "loop", "whorl")
STEP = 5e-5


def grid(side):
    along = np.arange(-side / 2, side / 2, STEP)
    y, x = np.meshgrid(along, along, indexing="ij")
    return x, y


@pytest.mark.parametrize(("pattern", "turns"), [("arch", 0), ("loop", 1), ("whorl", 2)])
def test_flow_turns_by_half_a_turn_round_every_core(pattern, turns):
    """Poincaré's index along a circle round the middle, which holds the cores and no delta."""
    parameters = FingerprintParameters(pattern=pattern)
    angle = np.linspace(0, 2 * np.pi, 2001)
    direction = ridge_direction(parameters, 3e-3 * np.cos(angle), 3e-3 * np.sin(angle), (0.0, 0.0))
    step = np.diff(direction)
    step -= np.pi * np.round(step / np.pi)
    assert step.sum() == pytest.approx(turns * np.pi, abs=1e-6)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_ridges_run_along_the_flow_at_their_period(pattern):
    parameters = FingerprintParameters(pattern=pattern, width=9e-3, length=11e-3)
    ridges = simulate_ridges(parameters, np.random.default_rng(1))
    again = simulate_ridges(parameters, np.random.default_rng(1))
    np.testing.assert_array_equal(ridges.coefficients, again.coefficients)

    x, y = grid(6e-3)
    field = ridges.at(np.stack([x.ravel(), y.ravel()], 1)).reshape(x.shape)
    gy, gx = np.gradient(field, STEP)
    smooth = [gaussian_filter(part, 0.45e-3 / STEP) for part in (gx * gx, gy * gy, gx * gy)]
    across = 0.5 * np.arctan2(2 * smooth[2], smooth[0] - smooth[1])
    rng = np.random.default_rng(1)
    core = 0.12 * rng.standard_normal(2) * (4.5e-3, 5.5e-3)
    expected = ridge_direction(parameters, x, y, tuple(core)) + np.pi / 2
    apart = np.abs((across - expected + np.pi / 2) % np.pi - np.pi / 2)
    assert np.median(apart) < np.radians(5)

    # A sinusoid of period p has |gradient|² / value² = (2π / p)² on average.
    period = 2 * np.pi * np.sqrt((field**2).mean() / (gx**2 + gy**2).mean())
    assert period == pytest.approx(parameters.ridge_period, rel=0.08)


@pytest.fixture(scope="module")
def print_():
    parameters = FingerprintParameters(width=9e-3, length=12e-3)
    return Fingerprint(FLAT, parameters, simulate_ridges(parameters, np.random.default_rng(0)), seed=5)


def points(side=0.016):
    x, y = grid(side)
    return np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1)


def test_mask_is_the_contact_area_and_holds_everything(print_):
    sample = print_.evaluate(points())
    area = sample.inside.sum() * STEP**2
    assert area == pytest.approx(np.pi / 4 * 9e-3 * 12e-3, rel=0.15)
    for field in ("opacity", "reflectance", "roughness", "height", "instance"):
        assert not getattr(sample, field)[~sample.inside].any()
    x, y, _ = points()[sample.inside].T
    assert np.ptp(y) > np.ptp(x)


def test_harder_pressure_floods_the_valleys(print_):
    covered = []
    for pressure in (0.2, 0.5, 0.9):
        pressed = replace(print_, parameters=replace(print_.parameters, pressure=pressure))
        sample = pressed.evaluate(points())
        covered.append((sample.opacity[sample.inside] > 0.5 * pressed.haze).mean())
    assert covered[0] < covered[1] < covered[2]
    assert covered[0] < 0.25
    assert covered[2] > 0.5


def test_a_point_is_told_the_same_whoever_else_is_asked(print_):
    chosen = np.random.default_rng(0).permutation(len(points()))[:500]
    whole, part = print_.evaluate(points()), print_.evaluate(points()[chosen])
    for field in ("inside", "instance", "reflectance", "roughness", "opacity"):
        np.testing.assert_array_equal(getattr(whole, field)[chosen], getattr(part, field))


@pytest.mark.parametrize("changes", [{"width": 0.0}, {"ridge_period": -1.0}, {"pressure": 1.5}, {"length": np.nan}])
def test_parameters_out_of_range_are_refused(changes):
    with pytest.raises(BlemishError, match="fingerprint: found"):
        FingerprintParameters(**changes)
