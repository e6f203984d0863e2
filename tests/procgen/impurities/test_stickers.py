"""Stickers: the sheet, its print and its lifted edge."""

from dataclasses import replace

import numpy as np
import pytest

from procgen.errors import BlemishError
from procgen.impurities.stickers import Sticker
from procgen.surface.anchor import Anchor

FLAT = Anchor((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
PLAIN = Sticker(FLAT, 0.02, 0.01, 0.002, fibres=0.0)


def points(side=0.03, step=1e-4):
    along = np.arange(-side / 2, side / 2, step) + step / 2
    y, x = np.meshgrid(along, along, indexing="ij")
    return np.stack([x, y, 0 * x], -1).reshape(-1, 3)


def test_mask_is_the_rounded_sheet():
    sample, step = PLAIN.evaluate(points()), 1e-4
    area = 0.02 * 0.01 - (4 - np.pi) * 0.002**2
    assert sample.inside.sum() * step**2 == pytest.approx(area, rel=2e-3)
    x, y, _ = points()[sample.inside].T
    assert np.abs(x).max() < 0.01
    assert np.abs(y).max() < 0.005
    assert (sample.opacity[sample.inside] == 1).all()
    assert not sample.opacity[~sample.inside].any()
    assert not sample.height[~sample.inside].any()


def test_only_a_shadow_lies_outside_and_it_is_longest_at_the_lifted_side():
    raised = replace(PLAIN, lift=1e-3, lift_angle=0.0)
    change = raised.evaluate(points()).reflectance[:, 0]
    x, y, _ = points().T
    level = np.abs(y) < 1e-3
    right, left = change[level & (x > 0.01)], change[level & (x < -0.01)]
    assert (right <= 0).all()
    assert (left <= 0).all()
    assert (right < 0).sum() > 5 * (left < 0).sum() > 0


def test_lifted_side_stands_off_by_the_lift_and_bends_evenly():
    along = np.linspace(-0.0099, 0.0099999, 500)
    row = np.stack([along, 0 * along, 0 * along], 1)
    height = replace(PLAIN, lift=1e-3, lift_length=5e-3).evaluate(row).height.astype(np.float64)
    assert height[0] == pytest.approx(1e-4)
    assert height[-1] == pytest.approx(1.1e-3, rel=1e-3)
    bending = np.diff(height[along > 0.0055], 2) / (along[1] - along[0]) ** 2
    np.testing.assert_allclose(bending, 2 * 1e-3 / 5e-3**2, rtol=0.25)  # heights are single precision


def test_number_is_printed_upright_between_the_edges():
    """One is left of seven, and the bar of the seven is above."""
    sample = replace(PLAIN, text="17", text_height=5e-3).evaluate(points())
    x, y, _ = points().T
    inked = sample.inside & (sample.reflectance[:, 0] < 0.3)
    assert inked.any()
    assert np.abs(y[inked]).max() == pytest.approx(2.5e-3, abs=1.5e-4)
    assert abs(x[inked].min() + x[inked].max()) < 3e-4
    top, bottom = inked & (y > 2e-3), inked & (y < -2e-3)
    assert np.ptp(x[top & (x > 0)]) > 2 * np.ptp(x[bottom & (x > 0)])
    assert (inked & (x < 0)).sum() < (inked & (x > 0)).sum()


def test_long_numbers_are_printed_smaller_and_bars_stand_above_them():
    sample = replace(PLAIN, text="0123456789", text_height=8e-3).evaluate(points())
    x, _, _ = points()[sample.inside & (sample.reflectance[:, 0] < 0.3)].T
    assert np.ptp(x) == pytest.approx(0.84 * 0.02, rel=0.02)
    coded = replace(PLAIN, text="7", bars=True).evaluate(points())
    level = (points()[:, 1] > 0.002) & (points()[:, 1] < 0.0021)
    row = coded.reflectance[level, 0] < 0.3
    assert np.count_nonzero(np.diff(row.astype(int))) > 20


def test_bubbles_bulge_by_their_rise():
    blistered = replace(PLAIN, bubbles=4, bubble_radius=1e-3, bubble_rise=0.2, seed=3)
    extra = (blistered.evaluate(points()).height - PLAIN.evaluate(points()).height)[PLAIN.evaluate(points()).inside]
    assert extra.min() == 0
    assert 0.5 * 2e-4 < extra.max() < 3.5 * 2e-4


def test_a_point_is_told_the_same_whoever_else_is_asked():
    sticker = replace(PLAIN, text="42", bars=True, lift=5e-4, lift_angle=0.6, bubbles=3, fibres=0.05)
    chosen = np.random.default_rng(0).permutation(len(points()))[:500]
    whole, part = sticker.evaluate(points()), sticker.evaluate(points()[chosen])
    for field in ("inside", "instance", "height", "reflectance", "roughness", "opacity"):
        np.testing.assert_array_equal(getattr(whole, field)[chosen], getattr(part, field))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corner_radius": 0.006}, "expected at most half of the shorter side"),
        ({"width": 0.0}, "width = 0; expected a finite number, positive"),
        ({"lift": -1.0}, "lift = -1"),
        ({"colour": (0.2, 2.0, 0.1)}, r"colour\[1\] = 2"),
        ({"lift_angle": float("nan")}, "lift_angle = nan"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        replace(PLAIN, **changes)


def test_text_without_ink_is_refused():
    with pytest.raises(BlemishError, match="leaves no ink"):
        replace(PLAIN, text="  ").evaluate(points())
