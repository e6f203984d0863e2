"""Perlin noise against the package *noise*, and its two implementations against each other."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from procgen.errors import BlemishError
from procgen.surface import noise as ours
from procgen.surface.tiles import TILE

theirs = pytest.importorskip("noise")


@pytest.fixture(params=["numpy", "numba"])
def backend(request, monkeypatch):
    if request.param == "numba":
        pytest.importorskip("numba")
    monkeypatch.setattr(ours, "BACKEND", request.param)


def scalar_loop(points):
    return np.array([theirs.pnoise3(x, y, z) for x, y, z in points.tolist()])


@pytest.mark.usefixtures("backend")
def test_seed_0_is_pnoise3_near_the_origin():
    points = np.random.default_rng(1).uniform(-20, 20, (20_000, 3))
    np.testing.assert_allclose(ours.perlin(points), scalar_loop(points), atol=3e-6)


@pytest.mark.usefixtures("backend")
def test_far_from_the_origin_only_single_precision_parts_it_from_pnoise3():
    points = np.random.default_rng(2).uniform(-600, 600, (5_000, 3))
    in_single_precision = points.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(ours.perlin(in_single_precision), scalar_loop(in_single_precision), atol=3e-6)


@pytest.mark.usefixtures("backend")
def test_noise_is_zero_on_the_lattice_and_periodic_over_256():
    lattice = np.array(list(itertools.product([-257, -1, 0, 3, 255, 256], repeat=3)), dtype=float)
    assert not ours.perlin(lattice).any()
    points = np.random.default_rng(3).uniform(0, 256, (1000, 3))
    np.testing.assert_allclose(ours.perlin(points), ours.perlin(points - [256, 512, -256]), atol=1e-10)


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_both_backends_give_the_same_bits(monkeypatch, seed):
    pytest.importorskip("numba")
    points = np.random.default_rng(4).uniform(-300, 300, (3 * TILE + 7, 3))
    lattice = np.random.default_rng(5).normal(size=(3, 3))
    monkeypatch.setattr(ours, "BACKEND", "numba")
    compiled = ours.perlin(points, seed), ours.fractal(points, 3, seed, lattice=lattice)
    monkeypatch.setattr(ours, "BACKEND", "numpy")
    np.testing.assert_array_equal(compiled, (ours.perlin(points, seed), ours.fractal(points, 3, seed, lattice=lattice)))


def test_fractal_is_the_normalised_sum_of_its_octaves():
    points = np.random.default_rng(6).uniform(-2, 2, (500, 3))
    lattice = np.random.default_rng(7).normal(size=(3, 3))
    offsets = np.random.default_rng([9, ours.OFFSETS]).uniform(0, 256, (3, 3))
    octaves = [0.7**k * ours.perlin(2.5**k * points @ lattice.T + offsets[k], 9 + k) for k in range(3)]
    expected = np.sum(octaves, axis=0) / (ours.PERLIN_RMS * np.sqrt(1 + 0.7**2 + 0.7**4))
    np.testing.assert_allclose(ours.fractal(points, 3, 9, 0.7, 2.5, lattice), expected, atol=1e-12)


def test_numpy_serves_when_numba_cannot_be_loaded(monkeypatch):
    monkeypatch.setattr(ours, "BACKEND", "numba")
    monkeypatch.setitem(__import__("sys").modules, "numba", None)
    ours._compiled.cache_clear()
    points = np.random.default_rng(5).uniform(-5, 5, (100, 3))
    try:
        np.testing.assert_allclose(ours.perlin(points), scalar_loop(points), atol=3e-6)
    finally:
        ours._compiled.cache_clear()


def test_bound_is_the_supremum_over_all_gradients():
    """Maximise the noise with every corner's gradient chosen best, by brute force over the cell."""
    offsets = np.linspace(0, 1, 41)
    cell = np.stack(np.meshgrid(offsets, offsets, offsets, indexing="ij"), axis=-1).reshape(-1, 3)
    fade = cell**3 * (cell * (cell * 6 - 15) + 10)
    highest = np.zeros(len(cell))
    for corner in itertools.product((0, 1), repeat=3):
        weight = np.prod(np.where(corner, fade, 1 - fade), axis=1)
        highest += weight * np.max((cell - corner) @ ours.GRADIENTS.T, axis=1)
    assert ours.PERLIN_BOUND - 1e-3 < highest.max() <= ours.PERLIN_BOUND


@given(st.integers(1, 2**31), st.integers(0, 2**31))
def test_seeds_differ_and_repeat(one, other):
    points = np.random.default_rng(6).uniform(-50, 50, (64, 3))
    np.testing.assert_array_equal(ours.perlin(points, one), ours.perlin(points, one))
    assert (one == other) == np.array_equal(ours.perlin(points, one), ours.perlin(points, other))


@pytest.mark.parametrize("octaves", [1, 3, 5])
def test_fractal_noise_has_mean_0_and_variance_1(octaves):
    points = np.random.default_rng(7).uniform(0, 200, (100_000, 3))
    values = ours.fractal(points, octaves, seed=3)
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1) < 0.03


def test_points_of_another_shape_are_refused():
    with pytest.raises(BlemishError, match=r"found points of shape \(5, 2\); expected \(N, 3\)"):
        ours.perlin(np.zeros((5, 2)))
