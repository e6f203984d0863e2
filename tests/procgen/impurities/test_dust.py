"""Dust grains against outlines traced one by one."""

import numpy as np
import pytest

from procgen.errors import BlemishError
from procgen.impurities.dust import Dust, Grains, settled_grains
from procgen.surface.layer import SurfacePoints

STEP = 2e-5


def points(side=0.006):
    along = np.arange(-side / 2, side / 2, STEP) + STEP / 2
    y, x = np.meshgrid(along, along, indexing="ij")
    return np.stack([x, y, 0 * x], -1).reshape(-1, 3)


def grains(count, seed=0, irregularity=0.3):
    rng = np.random.default_rng(seed)
    centres = np.column_stack([rng.uniform(-0.003, 0.003, (count, 2)), np.zeros(count)])
    return settled_grains(centres, 1e-4, 0.5, irregularity, rng)


def test_round_grains_are_discs_with_domes():
    one = Grains(np.zeros((1, 3)), np.array([1e-3]), np.ones(1), np.zeros((1, 5)), np.zeros((1, 5)))
    sample = Dust(one).evaluate(points())
    distance = np.hypot(*points()[:, :2].T)
    np.testing.assert_array_equal(sample.inside, distance <= 1e-3)
    expected = 0.5 * np.sqrt(np.maximum(1e-6 - distance**2, 0))
    np.testing.assert_allclose(sample.height, expected, atol=1e-9)


def test_every_point_belongs_to_the_highest_grain_that_covers_it():
    """Grain by grain over all points, without boxes."""
    dust = Dust(grains(60))
    sample, g = dust.evaluate(points()), dust.grains
    height, owner = np.zeros(len(points())), np.zeros(len(points()), dtype=int)
    for i in range(60):
        x, y = (points()[:, :2] - g.centres[i, :2]).T
        angle = np.arctan2(y, x)
        outline = g.radii[i] * (1 + sum(g.swing[i, k] * np.cos((k + 1) * angle + g.phase[i, k]) for k in range(5)))
        dome = 1 - (x**2 + y**2) / outline**2
        here = 0.5 * g.radii[i] * np.sqrt(np.maximum(dome, 0))
        wins = (dome >= 0) & ((owner == 0) | (here > height))
        height[wins], owner[wins] = here[wins], i + 1
    np.testing.assert_array_equal(sample.instance, owner)
    np.testing.assert_array_equal(sample.inside, owner > 0)
    for field in ("opacity", "reflectance", "roughness", "height"):
        assert not getattr(sample, field)[~sample.inside].any()


def test_radii_are_lognormal_about_their_median():
    radii = grains(20_000).radii
    assert np.median(radii) == pytest.approx(1e-4, rel=0.02)
    assert np.log(radii).std() == pytest.approx(0.5, rel=0.03)


def test_outlines_never_turn_inside_out():
    swing = grains(5000, irregularity=1.0).swing
    assert swing.sum(axis=1).max() <= 0.6 + 1e-12


def test_mask_does_not_depend_on_how_the_surface_is_turned():
    dust = grains(40)
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))
    turn *= np.linalg.det(turn)
    flat = SurfacePoints.of(points())
    moved = SurfacePoints(flat.positions @ turn.T, flat.normals @ turn.T, flat.tangents @ turn.T)
    there = Grains(dust.centres @ turn.T, dust.radii, dust.tones, dust.swing, dust.phase)
    assert (Dust(dust).evaluate(flat).inside != Dust(there).evaluate(moved).inside).mean() < 1e-4


def test_a_point_is_told_the_same_whoever_else_is_asked():
    dust, chosen = Dust(grains(60)), np.random.default_rng(0).permutation(len(points()))[:500]
    whole, part = dust.evaluate(points()), dust.evaluate(points()[chosen])
    for field in ("inside", "instance", "height", "reflectance", "roughness", "opacity"):
        np.testing.assert_array_equal(getattr(whole, field)[chosen], getattr(part, field))


def test_a_clean_surface_and_no_points_are_fine():
    none = settled_grains(np.empty((0, 3)), 1e-4, 0.5, 0.3, np.random.default_rng(0))
    assert not Dust(none).evaluate(points()).inside.any()
    assert len(Dust(grains(3)).evaluate(np.empty((0, 3))).inside) == 0


def test_parameters_out_of_range_are_refused():
    with pytest.raises(BlemishError, match="dust: found radius = -1"):
        settled_grains(np.zeros((1, 3)), -1.0, 0.5, 0.3, np.random.default_rng(0))
    with pytest.raises(BlemishError, match="dust: found opacity"):
        Dust(grains(3), opacity=1.5)
