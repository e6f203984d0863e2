"""Voids: openings against brute force and against the shape statistics of real blowholes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label, regionprops

from procgen.defects.voids import WAVES, VoidParameters, VoidPopulation, Voids, embedded_voids, simulate_voids
from procgen.errors import BlemishError
from procgen.surface.layer import SurfacePoints


def flat(uv):
    return np.column_stack([uv, np.zeros(len(uv))])


def up(uv):
    return np.broadcast_to(np.array([0.0, 0.0, 1.0]), (len(uv), 3))


def right(uv):
    return np.broadcast_to(np.array([1.0, 0.0, 0.0]), (len(uv), 3))


def voids_of(population, **changes):
    return Voids(population, *embedded_voids(population, flat, up, right), **changes)


def grid(pixels, extent):
    along = (np.arange(pixels) + 0.5) / pixels * extent - extent / 2
    u, v = np.meshgrid(along, along)
    return flat(np.column_stack([u.ravel(), v.ravel()]))


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), aspect=st.floats(0.2, 1.0), waviness=st.floats(0, 0.3))
def test_openings_are_those_of_brute_force(seed, aspect, waviness):
    parameters = VoidParameters(1e-3, count=12, spread=4e-3, diameter_variation=0.5, aspect=aspect, waviness=waviness)
    population = simulate_voids(parameters, (1e-3, 0.0), np.random.default_rng(seed))
    points = flat(np.random.default_rng(seed + 1).uniform(-0.012, 0.012, (4000, 2)))
    depth, owner = np.zeros(len(points)), np.zeros(len(points), dtype=int)
    for number in range(12):
        turn = np.exp(-1j * population.angles[number])
        z = (points[:, 0] + 1j * points[:, 1] - complex(*population.places[number])) * turn
        z = z.real * np.sqrt(aspect) + 1j * z.imag / np.sqrt(aspect)
        cosine, sine = population.waves[number]
        turns = np.angle(z)[:, None] * WAVES
        outline = population.radii[number] * (1 + np.cos(turns) @ cosine + np.sin(turns) @ sine)
        here = np.where(
            np.abs(z) < outline, population.depths[number] * (1 - np.minimum(np.abs(z) / outline, 1) ** 3) ** 2, 0
        )
        owner[here > depth] = number + 1
        depth = np.maximum(depth, here)
    sample = voids_of(population).evaluate(points)
    np.testing.assert_allclose(sample.height, -depth, atol=1e-9)
    np.testing.assert_array_equal(sample.inside, depth > 0)
    np.testing.assert_array_equal(sample.instance, owner)


def test_blowholes_have_the_shape_of_real_ones():
    """Of 21 blowholes of ground ferrite, in pixels: eccentricity .79, solidity .94, circularity .88 (data README)."""
    shapes = []
    rng = np.random.default_rng(0)
    for _ in range(60):
        parameters = VoidParameters(diameter=rng.uniform(6.9, 15.7), aspect=rng.uniform(0.45, 0.85), waviness=0.06)
        hole = voids_of(simulate_voids(parameters, rng.uniform(-0.5, 0.5, 2), rng))
        (shape,) = regionprops(label(hole.evaluate(grid(48, 48.0)).inside.reshape(48, 48)))
        circularity = 4 * np.pi * shape.area / shape.perimeter_crofton**2
        shapes.append((shape.eccentricity, shape.solidity, min(circularity, 1.0), shape.equivalent_diameter_area))
    eccentricity, solidity, circularity, diameter = np.median(shapes, axis=0)
    assert 0.7 < eccentricity < 0.85
    assert 0.9 < solidity < 0.97
    assert 0.8 < circularity < 0.97
    assert 10 < diameter < 13


def test_an_opening_is_as_large_as_its_diameter_says():
    for aspect in (1.0, 0.5):
        population = simulate_voids(
            VoidParameters(2e-3, aspect=aspect, waviness=0.0), (0.0, 0.0), np.random.default_rng(1)
        )
        share = voids_of(population).evaluate(grid(400, 8e-3)).inside.mean()
        assert share * 64e-6 == pytest.approx(np.pi * 1e-6, rel=0.01)


def test_diameters_scatter_lognormally_about_their_median():
    parameters = VoidParameters(5e-4, count=4000, spread=0.01, diameter_variation=0.28)
    population = simulate_voids(parameters, (0.0, 0.0), np.random.default_rng(2))
    logarithm = np.log(2 * population.radii)
    assert np.exp(np.median(logarithm)) == pytest.approx(5e-4, rel=0.02)
    assert logarithm.std() == pytest.approx(0.28, rel=0.05)
    assert population.places.std(axis=0) == pytest.approx([0.01, 0.01], rel=0.05)


def test_the_wall_replaces_the_surface_and_is_darkest_where_it_is_deepest():
    population = VoidPopulation(
        np.zeros((1, 2)), np.zeros(1), np.array([1e-3]), np.ones(1), np.array([2e-3]), np.zeros((1, 2, len(WAVES)))
    )
    hole = voids_of(population, reflectance=0.1, roughness=0.8, metallic=0.2, first_instance=7)
    x = np.array([0.0, 5e-4, 9.99e-4, 1.01e-3])
    sample = hole.evaluate(np.column_stack([x, 0 * x, 0 * x]))
    np.testing.assert_array_equal(sample.instance, [7, 7, 7, 0])
    np.testing.assert_array_equal(sample.opacity, [1, 1, 1, 0])
    np.testing.assert_allclose(sample.roughness, [0.8, 0.8, 0.8, 0])
    # A disc of radius r overhead, z away, fills the share r²/(r² + z²) of the sky, as Lambert's law weighs it.
    np.testing.assert_allclose(sample.reflectance[[0, 3]], [0.1 / 5, 0.0], rtol=1e-6)
    assert (np.diff(sample.reflectance[:3]) > 0).all()


def test_the_far_side_of_a_thin_part_stays_whole():
    population = simulate_voids(VoidParameters(2e-3), (0.0, 0.0), np.random.default_rng(0))
    hole = voids_of(population)
    below = SurfacePoints(np.zeros((1, 3)), np.array([[0.0, 0.0, -1.0]]), np.array([[1.0, 0.0, 0.0]]))
    assert not hole.evaluate(below).inside.any()
    assert hole.evaluate(np.zeros((1, 3))).inside.all()
    assert len(hole.evaluate(np.zeros((0, 3))).height) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"diameter": 0.0}, "diameter = 0; expected a finite number, positive"),
        ({"count": 0}, "count = 0"),
        ({"depth_ratio": float("nan")}, "depth_ratio = nan"),
        ({"waviness": 2.0}, "waviness = 2; expected a finite number, between 0 and 1"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        VoidParameters(**{"diameter": 1e-3} | changes)


def test_voids_that_are_not_on_a_part_are_refused():
    population = simulate_voids(VoidParameters(2e-3), (0.0, 0.0), np.random.default_rng(0))
    with pytest.raises(BlemishError, match=r"found centres of shape \(1, 2\); expected \(1, 3\)"):
        Voids(population, population.places, np.zeros((1, 3)), np.zeros((1, 3)))
