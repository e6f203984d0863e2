"""The nearest row of a bank, beside every distance in double precision; the blurred map, beside SciPy's."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from anomaly.backbone.patch_scorer import BLUR_DEVIATION, BLUR_KERNEL, enlarged_and_blurred
from anomaly.patchcore.nearest_row import CROWDED, NearestRows


def seeded(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def few_directions(rows, seed):
    """Features as networks give them: most of the variance along few directions, far from the origin."""
    scales = 10 * 0.75 ** torch.arange(152)
    return seeded(rows, 152, seed=seed) * scales + 30


FAMILIES = {
    "few directions": (few_directions(700, 1), few_directions(300, 2)),
    "noise in all directions": (seeded(700, 152, seed=1), seeded(300, 152, seed=2)),
    "nearly constant": (1000 + 1e-3 * seeded(700, 152, seed=1), 1000 + 1e-3 * seeded(300, 152, seed=2)),
    "rows of the bank": (few_directions(700, 1), few_directions(700, 1)[::3]),
    "equal rows": (few_directions(20, 1).repeat(7, 1), few_directions(50, 2)),
    "one row": (few_directions(1, 1), few_directions(50, 2)),
    "fewer dimensions than directions": (seeded(200, 3, seed=1), seeded(90, 3, seed=2)),
    "one far away": (torch.cat([few_directions(90, 1), torch.full((1, 152), 1e4)]), few_directions(50, 2)),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("chunk", [1, 64, 2048])
def test_distance_and_row_are_those_of_all_direct_differences(family, chunk):
    bank, features = FAMILIES[family]
    distances, rows = NearestRows(bank, chunk)(features)
    every = (features.double()[:, None] - bank.double()[None]).square().sum(dim=2).sqrt()
    nearest = every.min(dim=1).values
    np.testing.assert_allclose(distances, nearest, rtol=1e-5, atol=1e-6)
    # rows whose distances float32 cannot tell apart may stand for each other
    np.testing.assert_allclose(every[torch.arange(len(rows)), rows], nearest, rtol=1e-5, atol=1e-6)


def test_of_equal_rows_the_first_is_named_whatever_the_chunk():
    bank, features = FAMILIES["equal rows"]
    assert int(NearestRows(bank)(features)[1].max()) < 20


def test_bounds_leave_few_rows_where_features_vary_along_few_directions():
    bank, features = few_directions(2048, 1), few_directions(300, 2)
    bounds = NearestRows(bank)._bounded(features, few=True)
    assert float(bounds.open.float().mean()) < CROWDED
    assert len(bounds.candidates()[0]) < 10 * len(features)


@settings(max_examples=20)
@given(st.integers(1, 130), st.integers(1, 40), st.integers(1, 60), st.integers(0, 1000))
def test_any_shape_of_bank_and_features(rows, patches, dimensions, seed):
    bank, features = seeded(rows, dimensions, seed=seed), seeded(patches, dimensions, seed=seed + 1)
    distances, _ = NearestRows(bank, 16)(features)
    np.testing.assert_allclose(distances, torch.cdist(features.double(), bank.double()).amin(dim=1), rtol=1e-5)


def test_nothing_to_look_for_and_other_dimensions():
    bank = seeded(5, 4)
    assert [len(part) for part in NearestRows(bank)(seeded(0, 4))] == [0, 0]
    with pytest.raises(ValueError, match="3 dimensions; the bank has 4"):
        NearestRows(bank)(seeded(2, 3))


@pytest.mark.parametrize("factor", [1, 3, 8, 16])
def test_map_enlarged_and_blurred_is_scipys(factor):
    cells = seeded(2, 1, 5, 7).double()
    expected = np.kron(cells[:, 0].numpy(), np.ones((1, factor, factor)))
    for axis in (1, 2):
        expected = gaussian_filter1d(expected, BLUR_DEVIATION, axis=axis, mode="nearest", radius=BLUR_KERNEL // 2)
    np.testing.assert_allclose(enlarged_and_blurred(cells, factor)[:, 0], expected, atol=1e-12)


def test_threads_that_share_the_parts_find_the_same_rows_and_leave_the_number_of_threads_as_it_was():
    bank, features = few_directions(300, 1), few_directions(3000, 2)
    alone = NearestRows(bank)(features)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        shared = NearestRows(bank)(features)
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:  # threads to come have as many again
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)
    assert all(map(torch.equal, alone, shared))
