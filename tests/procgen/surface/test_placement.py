"""Jittered centres, and the search for the nearest against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from procgen.errors import BlemishError
from procgen.surface.placement import (
    MOST_CELLS,
    distance_to_border,
    has_centre,
    jittered_centres,
    nearest_centre,
    packed,
    unpacked,
)

ONE_RING = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
CELLS = np.stack(np.meshgrid(*[np.arange(-8, 8)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def brute_force(points, cell_size, seed, occupancy, reach):
    """Distance to all centres of the neighbouring cells, cell by cell."""
    cells = np.floor(points / cell_size).astype(int)[:, None] + ONE_RING
    distance = np.linalg.norm(points[:, None] - jittered_centres(cells, cell_size, seed), axis=-1)
    distance[~has_centre(cells, seed, occupancy)] = np.inf
    nearest = distance.argmin(axis=1)
    rows = np.arange(len(points))
    ids = packed(cells[rows, nearest])
    is_near = distance[rows, nearest] <= reach
    return np.where(is_near, distance[rows, nearest], np.inf), np.where(is_near, ids, 0)


def test_every_centre_lies_in_its_own_cell_and_fills_it_evenly():
    place = jittered_centres(CELLS, 0.02, seed=5) / 0.02 - CELLS
    assert place.min() >= 0
    assert place.max() < 1
    for axis in range(3):
        assert stats.kstest(place[:, axis], "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(place.T) - np.eye(3)).max() < 0.06


def test_centres_of_neighbours_and_of_seeds_are_independent():
    place = jittered_centres(CELLS, 1.0, 0)[:, 0] - CELLS[:, 0]
    assert abs(np.corrcoef(place[:-1], place[1:])[0, 1]) < 0.06
    assert abs(np.corrcoef(place, jittered_centres(CELLS, 1.0, 1)[:, 0] - CELLS[:, 0])[0, 1]) < 0.06


@pytest.mark.parametrize("occupancy", [0.0, 0.3, 1.0])
def test_occupancy_is_the_share_of_cells_with_a_centre(occupancy):
    assert abs(has_centre(CELLS, 9, occupancy).mean() - occupancy) < 0.04


def test_packed_ids_are_positive_unique_and_invertible():
    ids = packed(CELLS)
    assert ids.min() > 0
    assert len(np.unique(ids)) == len(CELLS)
    np.testing.assert_array_equal(unpacked(ids), CELLS)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    cell_size=st.floats(1e-3, 10.0),
    spread=st.floats(0.1, 30.0),
    flat=st.booleans(),
    occupancy=st.floats(0.0, 1.0),
    reach=st.floats(0.05, 1.0),
)
def test_nearest_centre_is_that_of_brute_force(seed, cell_size, spread, flat, occupancy, reach):
    points = np.random.default_rng(seed).uniform(-spread, spread, (300, 3)) * cell_size
    points[:, 2] *= not flat
    expected = brute_force(points, cell_size, seed, occupancy, reach * cell_size)
    distance, ids = nearest_centre(points, cell_size, seed, occupancy, reach * cell_size)
    np.testing.assert_allclose(distance, expected[0], rtol=1e-12)
    np.testing.assert_array_equal(ids, expected[1])


def test_no_points_have_no_centres():
    distance, ids = nearest_centre(np.empty((0, 3)), 1.0, 0)
    assert distance.shape == ids.shape == (0,)


def test_reach_beyond_the_one_ring_is_refused():
    with pytest.raises(BlemishError, match="expected at most the cell size"):
        nearest_centre(np.zeros((1, 3)), cell_size=1.0, seed=0, reach=1.1)


def test_points_too_far_out_to_number_their_cells_are_refused():
    with pytest.raises(BlemishError, match="use larger cells"):
        nearest_centre(np.full((1, 3), MOST_CELLS * 2.0), cell_size=1.0, seed=0)


def test_distance_to_a_border_is_that_to_the_nearest_of_many_points_on_it():
    border = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [1.0, 0.4], [0.0, 1.0]])
    share = np.linspace(0.0, 1.0, 4001)[:, None]
    on_it = np.concatenate([a + share * (b - a) for a, b in zip(border, np.roll(border, -1, axis=0), strict=True)])
    points = np.random.default_rng(0).uniform(-0.5, 2.5, (200, 2))
    brute = np.linalg.norm(points[:, None] - on_it, axis=-1).min(axis=1)
    np.testing.assert_allclose(distance_to_border(points, border), brute, atol=1e-3)
