"""Dents: the volume by quadrature, the cap against the sphere that it is cut from."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from procgen.defects.dents import Dent, DentShape
from procgen.errors import BlemishError
from procgen.surface.anchor import Anchor

HERE = Anchor((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
SHAPE = DentShape(ball_radius=5e-3, depth=2e-4)


def grid(extent, steps=401):
    along = np.linspace(-extent, extent, steps)
    return np.stack([*np.meshgrid(along, along), np.zeros((steps, steps))], axis=-1).reshape(-1, 3)


@settings(max_examples=60)
@given(ball_radius=st.floats(1e-4, 1.0), relative=st.floats(1e-6, 0.2), decay=st.floats(2.5, 10.0))
def test_what_the_ball_displaced_is_in_the_ring(ball_radius, relative, decay):
    shape = DentShape(ball_radius, relative * ball_radius, decay)
    contact = shape.contact_radius
    within = quad(lambda r: 2 * math.pi * r * shape.profile(r), 0, contact, epsabs=0, epsrel=1e-12)[0]
    # Beyond, with r = contact / t, to infinity.
    beyond = quad(lambda t: 2 * math.pi * contact**2 / t**3 * shape.profile(contact / t), 0, 1, epsabs=0, epsrel=1e-12)[
        0
    ]
    assert within + beyond == pytest.approx(0.0, abs=1e-9 * beyond)


def test_the_hollow_is_the_sphere_and_as_wide_as_the_contact_of_a_cap():
    assert SHAPE.radius == pytest.approx(math.sqrt(2 * 5e-3 * 2e-4 - 2e-4**2))
    assert SHAPE.profile(SHAPE.radius) == pytest.approx(0.0, abs=1e-12)
    r = np.linspace(0, SHAPE.contact_radius, 50)
    height = SHAPE.profile(r)
    np.testing.assert_allclose(r**2 + (height - (5e-3 - 2e-4)) ** 2, 5e-3**2, rtol=1e-12)
    assert height[0] == pytest.approx(-2e-4)
    assert height[-1] == pytest.approx(SHAPE.crest)


def test_the_surface_has_no_step_at_the_crest_and_falls_from_there_as_a_power():
    contact = SHAPE.contact_radius
    below, above = SHAPE.profile(np.array([contact * (1 - 1e-9), contact * (1 + 1e-9)]))
    assert below == pytest.approx(above, rel=1e-6)
    assert SHAPE.profile(2 * contact) == pytest.approx(SHAPE.crest / 2**4)


def test_a_dent_given_by_its_size_has_that_size():
    shape = DentShape.of_size(radius=2e-3, depth=3e-4)
    assert shape.radius == pytest.approx(2e-3)
    assert shape.profile(0.0) == pytest.approx(-3e-4)


def test_the_mask_ends_at_the_crest_and_the_sample_is_the_profile():
    points = grid(4e-3)
    dent = Dent(HERE, SHAPE, reflectance_change=-0.1, roughness_change=-0.05, instance=4)
    sample = dent.evaluate(points)
    r = np.hypot(points[:, 0], points[:, 1])
    np.testing.assert_array_equal(sample.inside, r <= SHAPE.contact_radius)
    np.testing.assert_array_equal(sample.instance, 4 * sample.inside)
    np.testing.assert_allclose(sample.height, SHAPE.profile(r), atol=1e-9)
    pressure = np.sqrt(np.clip(1 - (r / SHAPE.contact_radius) ** 2, 0, 1))
    np.testing.assert_allclose(sample.roughness, -0.05 * pressure, atol=1e-7)
    np.testing.assert_allclose(sample.reflectance, -0.1 * pressure, atol=1e-7)
    assert sample.height.max() == pytest.approx(SHAPE.crest, rel=0.05)


def test_an_oblique_impact_is_longer_along_and_as_large():
    points = grid(4e-3)
    round_one, long_one = (Dent(HERE, SHAPE, elongation=e).evaluate(points).inside for e in (1.0, 1.7))
    assert long_one.sum() == pytest.approx(round_one.sum(), rel=0.01)
    x, y = points[long_one, 0], points[long_one, 1]
    assert np.ptp(x) / np.ptp(y) == pytest.approx(1.7, rel=0.02)


def test_a_point_is_told_the_same_in_any_company():
    points = np.random.default_rng(0).uniform(-6e-3, 6e-3, (5000, 3)) * [1, 1, 0]
    dent = Dent(HERE, SHAPE, elongation=1.3)
    together, apart = dent.evaluate(points), dent.evaluate(points[100:200])
    np.testing.assert_array_equal(together.height[100:200], apart.height)
    np.testing.assert_array_equal(together.inside[100:200], apart.inside)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 0.0}, "depth = 0; expected a finite number, positive"),
        ({"ball_radius": float("nan")}, "ball_radius = nan"),
        ({"decay": 2.0}, "decay = 2; expected more than 2, for a ring of finite volume"),
        ({"depth": 4e-3}, r"a depth of 0\.004 m for a ball of radius 0\.005 m .* expected a shallower dent"),
    ],
)
def test_shapes_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        replace(SHAPE, **changes)


def test_an_elongation_of_nothing_is_refused():
    with pytest.raises(BlemishError, match="elongation = 0"):
        Dent(HERE, SHAPE, elongation=0.0)
