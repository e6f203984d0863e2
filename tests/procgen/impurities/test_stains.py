"""Water stains against Algorithm 1 of [Mao 2025], written out point by point with the package *noise*."""

import itertools
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procgen.errors import BlemishError
from procgen.impurities.stains import WaterStains
from procgen.surface.placement import has_centre, jittered_centres, packed

theirs = pytest.importorskip("noise")


@cache
def centre_of(cell, cell_size, seed, occupancy):
    """The centre of one cell, infinitely far away where there is none, and its id."""
    cells = np.array([cell])
    if not has_centre(cells, seed, occupancy)[0]:
        return (math.inf, math.inf, math.inf), 0
    return tuple(jittered_centres(cells, cell_size, seed)[0]), int(packed(cells)[0])


def algorithm_1(stains, point):
    """(inside, instance, change of reflectance) of one point, line by line; comments are the paper's line numbers."""
    perlin = theirs.pnoise3(*(coordinate * stains.frequency for coordinate in point))
    outline = stains.radius + perlin * stains.amplitude  # 3
    distance, instance = math.inf, 0
    if stains.centre is not None:  # 4
        distance, instance = math.dist(point, stains.centre), 1  # 5
    else:  # 6
        cell = [math.floor(coordinate / stains.cell_size) for coordinate in point]
        for step in itertools.product((-1, 0, 1), repeat=3):  # 7, 8
            centre, number = centre_of(tuple(np.add(cell, step)), stains.cell_size, stains.seed, stains.occupancy)
            if math.dist(point, centre) < distance:
                distance, instance = math.dist(point, centre), number
    if outline > 0 and distance <= outline:  # 10
        return True, instance, (distance / outline) ** stains.gamma * stains.alpha  # 11, 12
    return False, 0, 0.0  # 14


def assert_is_algorithm_1(stains, points):
    sample = stains.evaluate(points)
    inside, instance, reflectance = map(np.array, zip(*(algorithm_1(stains, p) for p in points.tolist()), strict=True))
    np.testing.assert_array_equal(sample.inside, inside)
    np.testing.assert_array_equal(sample.instance, instance)
    np.testing.assert_allclose(sample.reflectance, reflectance, atol=2e-5 * abs(stains.alpha))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    radius=st.floats(0.05, 0.6),
    amplitude=st.floats(0.0, 0.4),
    frequency=st.floats(0.2, 3.0),
    gamma=st.floats(0.5, 8.0),
    occupancy=st.sampled_from([1.0, 0.4]),
    flat=st.booleans(),
)
def test_population_is_algorithm_1(seed, radius, amplitude, frequency, gamma, occupancy, flat):
    stains = WaterStains(1.0, radius, frequency, amplitude, gamma, -0.3, seed, occupancy)
    points = np.random.default_rng(seed).uniform(-4, 4, (150, 3))
    points[:, 2] *= not flat
    assert_is_algorithm_1(stains, points)


def test_stains_that_almost_fill_their_cells_are_algorithm_1():
    points = np.random.default_rng(0).uniform(-0.06, 0.06, (1500, 3)) * [1, 1, 0]
    assert_is_algorithm_1(WaterStains(0.02, 0.01, 300.0, 0.01, 5.0, -0.4, seed=3), points)


def test_single_stain_is_algorithm_1():
    stain = WaterStains(None, 0.01, 150.0, 0.004, 6.0, -0.3, centre=(0.01, -0.02, 0.003))
    points = np.random.default_rng(1).uniform(-0.03, 0.03, (2000, 3))
    assert_is_algorithm_1(stain, points)
    assert stain.evaluate(points).inside.any()


def test_outline_that_noise_turns_inside_out_leaves_no_stain_and_no_division_by_zero():
    stain = WaterStains(None, 1e-6, 100.0, 0.5, 2.0, -0.3, centre=(0.0, 0.0, 0.0))
    points = np.concatenate([np.zeros((1, 3)), np.random.default_rng(2).uniform(-0.2, 0.2, (3000, 3))])
    with np.errstate(all="raise"):
        sample = stain.evaluate(points)
    assert np.isfinite(sample.reflectance).all()
    assert 0 < sample.inside.sum() < len(points)


def test_rim_is_dark_and_centre_is_like_the_surface():
    stain = WaterStains(None, 0.01, 150.0, 0.0, 6.0, -0.3, centre=(0.0, 0.0, 0.0))
    along = np.linspace(0, 0.0099, 50)
    change = stain.evaluate(np.stack([along, 0 * along, 0 * along], axis=1)).reflectance
    assert (np.diff(change) <= 0).all()
    assert abs(change[25]) < 0.02 * 0.3
    assert change[-1] < -0.27


def test_extras_change_the_inside_alone():
    plain = WaterStains(0.02, 0.006, 150.0, 0.002, 6.0, -0.3, seed=8)
    rich = WaterStains(0.02, 0.006, 150.0, 0.002, 6.0, -0.3, seed=8, heterogeneity=0.5, roughness_change=0.05)
    points = np.random.default_rng(3).uniform(-0.05, 0.05, (20_000, 3)) * [1, 1, 0]
    before, after = plain.evaluate(points), rich.evaluate(points)
    np.testing.assert_array_equal(before.inside, after.inside)
    np.testing.assert_array_equal(before.instance, after.instance)
    assert not after.reflectance[~after.inside].any()
    assert (after.reflectance <= before.reflectance + 1e-7).all()
    assert after.reflectance[after.inside].min() >= -0.3 * 1.5 - 1e-6
    assert set(np.unique(after.roughness)) == {np.float32(0), np.float32(0.05)}


def test_rings_are_smaller_and_fainter_stains_inside_the_stain():
    plain = WaterStains(None, 0.01, 150.0, 0.0, 40.0, -0.3, centre=(0.0, 0.0, 0.0))
    ringed = replace(plain, rings=2, ring_spacing=0.7, ring_contrast=0.5)
    along = np.linspace(0, 0.0105, 2000)
    row = np.stack([along, 0 * along, 0 * along], axis=1)
    before, after = plain.evaluate(row), ringed.evaluate(row)
    np.testing.assert_array_equal(before.inside, after.inside)
    added = after.reflectance - before.reflectance
    lowest = (added[1:-1] < added[:-2]) & (added[1:-1] <= added[2:]) & (added[1:-1] < -0.01)
    rings = along[1:-1][lowest]
    np.testing.assert_allclose(rings, [0.0049, 0.007], atol=1e-5)
    np.testing.assert_allclose([added[along <= 0.007].min(), added[along <= 0.0049].min()], [-0.15, -0.075], rtol=0.05)


def test_drips_run_downhill_from_their_stain_and_end_in_a_bead():
    stain = WaterStains(None, 0.004, 150.0, 0.0, 6.0, -0.3, centre=(0.0, 0.0, 0.0))
    dripping = replace(stain, drip_length=0.012, drip_width=0.002, drip_direction=(0.0, -2.0, 0.0))
    x, y = np.meshgrid(np.linspace(-0.01, 0.01, 201), np.linspace(-0.02, 0.01, 301))
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1)
    before, after = stain.evaluate(points), dripping.evaluate(points)
    assert after.inside[before.inside].all()
    grown = points[after.inside & ~before.inside]
    assert (np.abs(grown[:, 0]) <= 0.00125 + 1e-9).all()
    assert (grown[:, 1] < 0).all()
    assert grown[:, 1].min() == pytest.approx(-0.012 - 0.00125, abs=1.5e-4)
    neck, bead = (np.ptp(grown[np.abs(grown[:, 1] - level) < 1e-4, 0]) for level in (-0.007, -0.012))
    assert neck == pytest.approx(0.0015, abs=2e-4)
    assert bead == pytest.approx(0.0025, abs=2e-4)
    outlet = np.argmin(np.linalg.norm(points - [0.0, -0.004, 0.0], axis=1))
    assert abs(after.reflectance[outlet]) < 0.01 < abs(before.reflectance[outlet])


def test_a_population_drips_too_and_nothing_depends_on_which_points_are_asked():
    stains = WaterStains(
        0.02, 0.005, 150.0, 0.002, 6.0, -0.3, seed=8, occupancy=0.5, rings=1, drip_length=0.012, drip_share=0.7
    )
    points = np.random.default_rng(3).uniform(-0.05, 0.05, (30_000, 3)) * [1, 1, 0]
    whole, chosen = stains.evaluate(points), np.arange(0, 30_000, 7)
    part = stains.evaluate(points[chosen])
    for field in ("inside", "instance", "reflectance"):
        np.testing.assert_array_equal(getattr(whole, field)[chosen], getattr(part, field))
    assert np.array_equal(whole.inside, whole.instance > 0)
    dry = replace(stains, drip_length=0.0).evaluate(points)
    assert whole.inside[dry.inside].all()
    assert set(whole.instance) <= set(dry.instance)
    assert 1.02 < whole.inside.sum() / dry.inside.sum() < 1.6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"radius": 0.015, "amplitude": 0.006},
            r"radius \+ amplitude = 0\.021 m; expected at most the cell size, 0\.02 m",
        ),
        ({"radius": 0.0}, "radius = 0; expected a finite number, positive"),
        ({"radius": float("nan")}, "radius = nan"),
        ({"frequency": -1.0}, "frequency = -1"),
        ({"amplitude": float("inf")}, "amplitude = inf"),
        ({"gamma": 0.0}, "gamma = 0"),
        ({"alpha": float("nan")}, "alpha = nan"),
        ({"occupancy": 1.5}, "occupancy = 1.5; expected a finite number, between 0 and 1"),
        ({"cell_size": None}, "neither a centre nor a cell size"),
        ({"cell_size": -0.02}, "cell_size = -0.02"),
        ({"centre": (0.0, float("nan"), 0.0)}, "centre_y = nan"),
        ({"seed": -1}, "seed = -1"),
        ({"ring_spacing": 1.2}, r"ring_spacing = 1\.2"),
        ({"drip_length": 0.03}, "expected at most the cell size"),
        ({"drip_direction": (0.0, 0.0, 0.0)}, "drip_direction of length 0"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, message):
    fine = {"cell_size": 0.02, "radius": 0.006, "frequency": 150.0, "amplitude": 0.002, "gamma": 6.0, "alpha": -0.3}
    with pytest.raises(BlemishError, match=message):
        WaterStains(**(fine | changes))
