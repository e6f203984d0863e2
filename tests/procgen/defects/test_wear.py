"""Wear: the shape of the band, what its mask means, and its marks."""

from dataclasses import replace

import numpy as np
import pytest

from procgen.defects.wear import Wear
from procgen.errors import BlemishError
from procgen.surface.anchor import Anchor

HERE = Anchor((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
PLAIN = Wear(HERE, 0.02, 0.008, softness=0.0, waviness=0.0, fray=0.0, streaks=0.0, reflectance_change=0.05, depth=2e-6)


def grid(steps=201):
    along = np.linspace(-0.015, 0.015, steps)
    u, v = np.meshgrid(along, along)
    return np.stack([u, v, 0 * u], axis=-1).reshape(-1, 3)


def test_without_noise_the_band_is_a_rounded_rectangle():
    points = grid()
    sample = replace(PLAIN, instance=3).evaluate(points)
    x, y = np.abs(points[:, :2]).T
    corner = 0.002
    within = (x <= 0.01) & (y <= 0.004)
    cut = (x > 0.01 - corner) & (y > 0.004 - corner)
    within &= ~cut | (np.hypot(x - 0.01 + corner, y - 0.004 + corner) <= corner)
    assert (sample.inside != within).mean() < 1e-4  # points that rounding puts on either side
    np.testing.assert_array_equal(sample.instance, 3 * sample.inside)
    np.testing.assert_allclose(sample.reflectance, 0.05 * sample.inside, rtol=1e-6)
    np.testing.assert_allclose(sample.height, -2e-6 * sample.inside, rtol=1e-6)


def test_the_mask_begins_where_wear_is_half_of_full():
    sample = replace(PLAIN, softness=2e-3, waviness=4e-4, fray=3e-4, mark_width=5e-4).evaluate(grid())
    share = sample.reflectance / 0.05
    np.testing.assert_array_equal(sample.inside, share >= 0.5)
    assert np.mean((share > 0.01) & (share < 0.5)) > 0.02


def test_a_soft_edge_rises_over_its_softness():
    y = np.linspace(0, 0.008, 400)
    share = replace(PLAIN, softness=2e-3).evaluate(np.stack([0 * y, y, 0 * y], axis=1)).reflectance / 0.05
    rising = y[(share > 1e-9) & (share < 1 - 1e-6)]
    assert np.ptp(rising) == pytest.approx(2e-3, rel=0.02)
    assert y[np.argmin(np.abs(share - 0.5))] == pytest.approx(0.004, abs=3e-5)
    assert (np.diff(share) <= 1e-7).all()


def test_marks_run_along_the_lay():
    band = replace(PLAIN, lay=np.pi / 2, streaks=0.03, mark_length=5e-3, mark_width=2e-4, length=0.05, width=0.05)
    picture = band.evaluate(grid(301)).reflectance.reshape(301, 301)
    assert picture.mean() == pytest.approx(0.05, abs=0.01)
    assert picture.std() == pytest.approx(0.03, rel=0.25)
    across, along = np.diff(picture, axis=1).std(), np.diff(picture, axis=0).std()
    assert across > 5 * along


def test_a_point_is_told_the_same_in_any_company():
    points = grid()
    band = replace(PLAIN, softness=1e-3, waviness=4e-4, fray=3e-4, streaks=0.03)
    together, apart = band.evaluate(points), band.evaluate(points[18_000:18_300])
    np.testing.assert_array_equal(together.reflectance[18_000:18_300], apart.reflectance)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 0.0}, "length = 0; expected a finite number, positive"),
        ({"softness": -1.0}, "softness = -1"),
        ({"lay": float("nan")}, "lay = nan"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        replace(PLAIN, **changes)
