"""Strokes of chalk and marker: where they lie, what they cover, and what crossing strokes do."""

from dataclasses import replace

import numpy as np
import pytest

from procgen.errors import BlemishError
from procgen.impurities.strokes import Chalk, Marker, hand_drawn
from procgen.surface.paths import Path

ACROSS = Path(np.array([[-0.01, 0.0, 0.0], [0.0, 0.0, 0.0], [0.01, 0.0, 0.0]]))
UP = Path(np.array([[0.0, -0.01, 0.0], [0.0, 0.01, 0.0]]))
STEP = 1e-4


def points(side=0.03):
    along = np.arange(-side / 2, side / 2, STEP) + STEP / 2
    y, x = np.meshgrid(along, along, indexing="ij")
    return np.stack([x, y, 0 * x], -1).reshape(-1, 3)


def test_marker_line_is_a_band_with_round_ends():
    sample = Marker((ACROSS,), 0.002).evaluate(points())
    x, y, _ = points().T
    expected = np.hypot(np.maximum(np.abs(x) - 0.01, 0), y) <= 0.001
    assert (sample.inside != expected).mean() < 1e-4
    for field in ("opacity", "reflectance", "roughness", "height", "instance"):
        assert not getattr(sample, field)[~sample.inside].any()


def test_ink_on_ink_lets_through_the_product():
    plain = {"width": 0.002, "streaks": 0.0, "fading": 0.0, "opacity": 0.6}
    one, other, both = (Marker(lines, **plain).evaluate(points()) for lines in ((ACROSS,), (UP,), (ACROSS, UP)))
    np.testing.assert_allclose(1 - both.opacity, (1 - one.opacity) * (1 - other.opacity), atol=1e-6)
    middle = np.argmin(np.linalg.norm(points(), axis=1))
    assert both.opacity[middle] > 0.8 > one.opacity[middle]
    assert one.opacity[middle] == pytest.approx(0.6, abs=0.01)
    np.testing.assert_allclose(both.reflectance, both.opacity[:, None] * np.array(Marker.colour), atol=1e-6)


def test_ink_pools_at_the_ends_and_fades_along_the_line():
    marker = Marker((ACROSS,), 0.002, streaks=0.0, fading=0.5, opacity=0.6)
    x = np.linspace(-0.0109, 0.0109, 300)
    opacity = marker.evaluate(np.stack([x, 0 * x, 0 * x], 1)).opacity
    assert opacity[0] > opacity[40]
    assert opacity[-1] > opacity[-40]
    inner = opacity[60:-60]
    assert (np.diff(inner) < 0).all()


def test_chalk_covers_the_share_that_it_was_pressed_to_and_skips_the_valleys():
    covered = []
    for pressure in (0.2, 0.5, 0.8):
        chalk = Chalk((ACROSS,), 0.004, pressure=pressure, seed=1)
        near_axis = (np.abs(points()[:, 1]) < 0.0008) & (np.abs(points()[:, 0]) < 0.009)
        covered.append((chalk.evaluate(points()).opacity[near_axis] > 0.5).mean())
    np.testing.assert_allclose(covered, (0.2, 0.5, 0.8), atol=0.1)


def test_chalk_grain_runs_along_the_lay():
    for turned in (False, True):
        lay = (0.0, 1.0, 0.0) if turned else (1.0, 0.0, 0.0)
        sample = Chalk((ACROSS,), 0.008, lay=lay, tooth_along=1e-3, seed=2).evaluate(points())
        cover = sample.opacity.reshape(300, 300)[130:170, 80:220].astype(float)
        steps = [np.abs(np.diff(cover, axis=axis)).mean() for axis in (0, 1)]  # across y, across x
        assert (steps[0] < steps[1]) == turned


def test_a_second_line_fills_gaps_of_the_first():
    once, twice = (Chalk(lines, 0.004, seed=3).evaluate(points()) for lines in ((ACROSS,), (ACROSS, ACROSS)))
    assert (twice.opacity >= once.opacity).all()
    assert twice.opacity[twice.inside].mean() > once.opacity[once.inside].mean() + 0.05


@pytest.mark.parametrize("layer", [Chalk((ACROSS, UP), 0.003, seed=4), Marker((ACROSS, UP), 0.003, seed=4)])
def test_a_point_is_told_the_same_whoever_else_is_asked(layer):
    chosen = np.random.default_rng(0).permutation(len(points()))[:500]
    whole, part = layer.evaluate(points()), layer.evaluate(points()[chosen])
    for field in ("inside", "instance", "height", "reflectance", "roughness", "opacity"):
        np.testing.assert_array_equal(getattr(whole, field)[chosen], getattr(part, field))


@pytest.mark.parametrize("sign", ["circle", "cross", "line", "tick", "zigzag"])
def test_signs_are_about_as_large_as_asked_and_never_drawn_twice_alike(sign):
    rng = np.random.default_rng(5)
    lines = hand_drawn(sign, 0.02, rng)
    assert np.ptp(np.vstack(lines), axis=0).max() == pytest.approx(0.02, rel=0.25)
    assert len(lines) == (2 if sign == "cross" else 1)
    assert not np.allclose(lines[0], hand_drawn(sign, 0.02, rng)[0])
    again = hand_drawn(sign, 0.02, np.random.default_rng(5))
    np.testing.assert_array_equal(lines[0], again[0])


@pytest.mark.parametrize(
    ("layer", "changes", "message"),
    [
        (Chalk((ACROSS,), 0.003), {"width": 0.0}, "chalk: found width = 0"),
        (Chalk((ACROSS,), 0.003), {"lay": (0.0, 0.0, 0.0)}, "lay of length 0"),
        (Chalk((ACROSS,), 0.003), {"pressure": 1.2}, "pressure = 1.2"),
        (Marker((ACROSS,), 0.003), {"opacity": float("nan")}, "marker: found opacity = nan"),
        (Marker((ACROSS,), 0.003), {"colour": (0.0, -1.0, 0.0)}, r"colour\[1\] = -1"),
    ],
)
def test_parameters_out_of_range_are_refused(layer, changes, message):
    with pytest.raises(BlemishError, match=message):
        replace(layer, **changes)
