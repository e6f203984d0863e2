import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.patchcore import coreset
from anomaly.patchcore.coreset import SequentialCoreset
from anomaly.patchcore.nearest_row import nearest_rows

specification = importlib.util.spec_from_file_location("coreset_oracle", Path(__file__).with_name("oracle.py"))
oracle = importlib.util.module_from_spec(specification)
specification.loader.exec_module(oracle)


def two_far_clusters(rng, count, dimensions):
    """Within each cluster distances are far below what a product of centred float32 vectors can tell."""
    return np.where(rng.random((count, 1)) < 0.5, 1e4, -1e4) + 1e-2 * rng.standard_normal((count, dimensions))


def half_constant(rng, count, dimensions):
    features = np.full((count, dimensions), 0.125)
    features[:, : dimensions // 2] += 1e-6 * rng.standard_normal((count, dimensions // 2))
    return features


FAMILIES = {
    "normal": lambda rng, n, d: rng.standard_normal((n, d)),
    "duplicated": lambda rng, n, d: rng.standard_normal((n // 4, d))[rng.integers(0, n // 4, n)],
    "constant": lambda rng, n, d: np.full((n, d), 0.7),
    "near constant": lambda rng, n, d: 3.0 + 1e-6 * rng.standard_normal((n, d)),
    "half constant": half_constant,
    "integer lattice": lambda rng, n, d: rng.integers(-2, 3, (n, d)).astype(float),
    "tenths": lambda rng, n, d: rng.integers(-3, 4, (n, d)) * 0.1,
    "huge offset": lambda rng, n, d: 1e6 + rng.standard_normal((n, d)),
    "two far clusters": two_far_clusters,
    "growing": lambda rng, n, d: rng.standard_normal((n, d)) * np.geomspace(1e-6, 1e6, n)[:, None],
    "tiny": lambda rng, n, d: 1e-30 * rng.standard_normal((n, d)),
    "heavy tails": lambda rng, n, d: rng.standard_cauchy((n, d)) ** 3,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("size", "dimensions"), [(2, 3), (7, 2), (24, 5), (90, 19)])
def test_coreset_equals_the_literal_algorithm_row_for_row(family, dtype, size, dimensions):
    features = FAMILIES[family](np.random.default_rng([size, dimensions]), 400, dimensions).astype(dtype)
    literal, accepted = oracle.literal_coreset(features, size, epochs=3)
    for piece in (1000, 61, 1) if size == 24 else (1000, 61):
        ours = SequentialCoreset(size)
        counts = [
            sum(ours.update(torch.from_numpy(features[start : start + piece])) for start in range(0, 400, piece))
            for _ in range(3)
        ]
        np.testing.assert_array_equal(ours.bank.numpy(), literal)
        assert counts == accepted
        assert ours.bank.numpy().dtype == dtype


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 20),
    dimensions=st.integers(1, 6),
    levels=st.integers(1, 5),
    exponent=st.integers(-120, 120),
    far=st.sampled_from([0, 0, 60]),
    offset=st.sampled_from([0.0, 1.0, 1e5]),
    double=st.booleans(),
    block=st.integers(1, 40),
)
def test_coreset_equals_the_literal_algorithm_on_any_lattice(
    seed, size, dimensions, levels, exponent, far, offset, double, block
):
    rng = np.random.default_rng(seed)
    lattice = rng.integers(0, levels, (80, dimensions)) + offset
    lattice[rng.random(80) < 0.1] *= 2.0 ** (far if exponent < 60 else -far)
    features = (lattice * 2.0**exponent).astype(np.float64 if double else np.float32)
    literal, _ = oracle.literal_coreset(features, size, epochs=2)
    ours = SequentialCoreset(size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coreset, "LARGEST_BLOCK", 2 * block)
        patch.setattr(coreset, "SMALLEST_BLOCK", block)
        patch.setattr(coreset, "FEWEST_ROWS", coreset.POPULAR)
        for _ in range(2):
            ours.update(torch.from_numpy(features))
    np.testing.assert_array_equal(ours.bank.numpy(), literal)


def test_values_whose_squares_overflow_are_handled_like_the_literal_algorithm():
    rng = np.random.default_rng(5)
    for dtype, magnitude in ((np.float32, 1e37), (np.float64, 1e160)):
        features = (rng.standard_normal((120, 4)) * np.where(rng.random((120, 1)) < 0.3, magnitude, 1.0)).astype(dtype)
        with np.errstate(over="ignore"):
            literal, _ = oracle.literal_coreset(features, 10, epochs=2)
        ours = SequentialCoreset(10)
        for _ in range(2):
            ours.update(torch.from_numpy(features))
        np.testing.assert_array_equal(ours.bank.numpy(), literal)


def test_values_whose_squares_underflow_are_handled_like_the_literal_algorithm():
    lattice = np.random.default_rng(6).integers(0, 4, (150, 3)).astype(float)
    for magnitude in (1e-140, 1e-170, 1e-200, 1e-310):
        literal, _ = oracle.literal_coreset(lattice * magnitude, 20, epochs=2)
        ours = SequentialCoreset(20)
        for _ in range(2):
            ours.update(torch.from_numpy(lattice * magnitude))
        np.testing.assert_array_equal(ours.bank.numpy(), literal)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("family", ["normal", "duplicated", "half constant", "two far clusters", "heavy tails"])
def test_coreset_equals_the_literal_algorithm_after_much_was_refused(family, dtype):
    """A bank of which a few rows refuse most patches, and lose their places while they cover patches."""
    rng = np.random.default_rng(12)
    features = FAMILIES[family](rng, 3000, 4).astype(dtype)
    features[rng.random(3000) < 0.8] *= 0.05
    literal, accepted = oracle.literal_coreset(features, 70, epochs=2)
    ours = SequentialCoreset(70)
    assert [ours.update(torch.from_numpy(features)) for _ in range(2)] == accepted
    np.testing.assert_array_equal(ours.bank.numpy(), literal)


def test_low_product_precision_and_autocast_change_nothing():
    features = torch.from_numpy(np.random.default_rng(3).standard_normal((600, 16)).astype(np.float32))
    plain, hurried = SequentialCoreset(50), SequentialCoreset(50)
    plain.update(features)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hurried.update(features)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert torch.equal(plain.bank, hurried.bank)


def test_closest_pair_never_comes_closer_and_a_fixed_set_converges():
    features = torch.from_numpy(np.random.default_rng(8).standard_normal((1500, 6)).astype(np.float32))
    ours = SequentialCoreset(64)
    closest = [0.0]
    for _ in range(60):
        accepted = ours.update(features)
        closest.append(ours.closest)
        if accepted == 0:
            break
    assert accepted == 0
    assert closest == sorted(closest)
    # At the fixed point no patch is farther from the bank than its closest pair is apart.
    assert float(ours.nearest(features)[0].max()) <= ours.closest * (1 + 1e-6)


def test_saved_and_loaded_coreset_continues_identically():
    features = torch.from_numpy(np.random.default_rng(4).standard_normal((900, 8)))
    whole, first = SequentialCoreset(60), SequentialCoreset(60)
    whole.update(features)
    first.update(features[:400])
    second = SequentialCoreset(60)
    second.load_state_dict(first.state_dict())
    second.update(features[400:])
    assert torch.equal(whole.bank, second.bank)


def test_meld_is_an_update_with_the_other_bank():
    rng = np.random.default_rng(6)
    here, there = (torch.from_numpy(rng.standard_normal((500, 5)) + shift) for shift in (0.0, 3.0))
    ours, other, expected = SequentialCoreset(40), SequentialCoreset(40), SequentialCoreset(40)
    ours.update(here)
    expected.update(here)
    other.update(there)
    assert ours.meld(other) == expected.update(other.bank) > 0
    assert torch.equal(ours.bank, expected.bank)
    assert ours.meld(SequentialCoreset(9)) == 0


def test_meld_takes_any_number_of_coresets_and_their_sources():
    rng = np.random.default_rng(7)
    parts = [torch.from_numpy(rng.standard_normal((200, 5)) + 2 * k) for k in range(4)]
    coresets = [SequentialCoreset(30) for _ in parts]
    for number, (part, one) in enumerate(zip(parts, coresets, strict=True)):
        one.update(part, number)
    expected = SequentialCoreset(30)
    for part in (coresets[0].bank, coresets[1].bank, coresets[2].bank, coresets[3].bank):
        expected.update(part)
    melded, *others = coresets
    melded.meld(*others)
    assert torch.equal(melded.bank, expected.bank)
    for row, source in zip(melded.bank, melded.sources.tolist(), strict=True):
        assert bool((parts[source] == row).all(dim=1).any())


def test_every_row_knows_its_source_and_generation():
    features = torch.from_numpy(np.random.default_rng(9).standard_normal((600, 6)))
    ours = SequentialCoreset(80)
    ours.update(features[:300], torch.arange(300))
    ours.generation = 1
    ours.update(features[300:], torch.arange(300, 600))
    assert torch.equal(ours.bank, features[ours.sources])
    assert torch.equal(ours.generations, (ours.sources >= 300).long())
    again = SequentialCoreset(80)
    again.load_state_dict(ours.state_dict())
    assert torch.equal(again.sources, ours.sources)
    assert torch.equal(again.generations, ours.generations)
    assert again.generation == 1
    with pytest.raises(ValueError, match=r"expected \(600,\) int64"):
        ours.update(features, torch.arange(300))


def test_forgotten_sources_leave_no_row_and_their_room_is_filled_again():
    features = torch.from_numpy(np.random.default_rng(11).standard_normal((900, 6)))
    images = torch.arange(900) // 90
    ours = SequentialCoreset(100)
    ours.update(features, images)
    kept = ours.bank[~torch.isin(ours.sources, torch.tensor([2, 5]))]
    assert ours.forget([2, 5, 77]) == 100 - len(kept) > 0
    assert torch.equal(ours.bank, kept)
    assert ours.closest == float("inf")
    assert ours.forget([2]) == 0
    remaining = ~torch.isin(images, torch.tensor([2, 5]))
    ours.update(features[remaining], images[remaining])
    assert len(ours.bank) == 100
    expected = SequentialCoreset(100)
    expected.update(kept)
    expected.update(features[remaining])
    assert torch.equal(ours.bank, expected.bank)


def test_rows_of_old_generations_age_out():
    features = torch.from_numpy(np.random.default_rng(13).standard_normal((400, 3)))
    ours = SequentialCoreset(60)
    for ours.generation, part in enumerate(features.split(100)):
        ours.update(part)
    before = ours.generations
    assert ours.age_out(2) == int((before < 2).sum()) > 0
    assert torch.equal(ours.generations, before[before >= 2])


@pytest.mark.parametrize("family", ["normal", "duplicated", "half constant", "two far clusters"])
def test_shrinking_takes_the_closest_pairs_lower_row_and_growing_makes_room(family):
    rows = FAMILIES[family](np.random.default_rng(14), 120, 4)
    ours = SequentialCoreset(120)
    ours.update(torch.from_numpy(rows), torch.arange(120))
    ours.resize(50)
    left = list(range(120))
    while len(left) > 50:
        matrix = np.stack([oracle.squared_distances(rows[row], rows[left]) for row in left])
        np.fill_diagonal(matrix, np.inf)
        del left[min(np.unravel_index(matrix.argmin(), matrix.shape))]
    assert ours.sources.tolist() == left
    ours.resize(70)
    assert ours.update(torch.from_numpy(rows[:5] + 1)) == 5
    assert ours.bank.shape == (55, 4)
    ours.resize(1)
    assert ours.bank.shape == (1, 4)


def test_certificate_holds_against_every_possible_choice_of_centres():
    from itertools import combinations

    rng = np.random.default_rng(15)
    for _ in range(12):
        points = rng.standard_normal((11, 2))
        ours = SequentialCoreset(3)
        while ours.update(torch.from_numpy(points)):
            pass
        proof = ours.certificate(torch.from_numpy(points).split(4))
        matrix = np.sqrt(np.stack([oracle.squared_distances(point, points) for point in points]))
        covers = [matrix[:, list(centres)].min(axis=1).max() for centres in combinations(range(11), 3)]
        assert proof.patches == 11
        assert proof.cover <= proof.closest
        assert proof.factor == 2
        assert proof.optimum_at_least <= min(covers) <= proof.cover <= 2 * min(covers) * (1 + 1e-12)


def test_certificate_says_how_far_an_unfinished_bank_may_be():
    points = torch.tensor([[0.0], [1.0], [10.0], [11.0], [100.0]])
    ours = SequentialCoreset(2)
    ours.update(points[:2])
    proof = ours.certificate(points)
    assert (proof.cover, proof.closest, proof.optimum_at_least, proof.factor) == (99.0, 1.0, 0.5, 198.0)
    assert ours.certificate(points[:2]).factor == 1
    assert SequentialCoreset(9).closest == float("inf")


@pytest.mark.parametrize("chunk", [1, 7, 4096])
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_nearest_distances_equal_brute_force_for_any_chunk(chunk, offset):
    rng = np.random.default_rng(2)
    bank, queries = (offset + rng.standard_normal((count, 9)) for count in (50, 120))
    ours = SequentialCoreset(50)
    ours.update(torch.from_numpy(bank))
    distances, rows = ours.nearest(torch.from_numpy(queries), chunk)
    matrix = np.sqrt(np.stack([oracle.squared_distances(query, bank) for query in queries]))
    np.testing.assert_allclose(distances.numpy(), matrix.min(axis=1), rtol=1e-9)
    np.testing.assert_array_equal(rows.numpy(), matrix.argmin(axis=1))
    assert float(nearest_rows(ours.bank, ours.bank)[0].max()) == 0.0


def test_one_row_keeps_the_first_patch_because_it_has_no_pair():
    ours = SequentialCoreset(1)
    assert ours.update(torch.tensor([[1.0], [5.0], [-7.0]])) == 1
    assert ours.bank.tolist() == [[1.0]]


@pytest.mark.parametrize("size", [0, -3, 2.5, True])
def test_sizes_that_hold_nothing_are_refused(size):
    with pytest.raises(ValueError, match="size of a coreset"):
        SequentialCoreset(size)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (torch.tensor([[1.0, float("nan")]]), "NaN or infinity"),
        (torch.tensor([[1.0, float("inf")]]), "NaN or infinity"),
        (torch.zeros(3, 5), "5 dimensions; the bank has 2"),
        (torch.zeros(3), "expected \\(patches, dimensions\\)"),
        (torch.zeros(3, 2, dtype=torch.int64), "expected \\(patches, dimensions\\)"),
        (torch.zeros(3, 2, dtype=torch.float64), "float64; the bank is float32"),
    ],
)
def test_bad_features_are_refused_and_change_nothing(features, message):
    ours = SequentialCoreset(4)
    ours.update(torch.arange(12.0).reshape(6, 2))
    before = ours.bank
    with pytest.raises(ValueError, match=message):
        ours.update(features)
    assert torch.equal(ours.bank, before)


def test_an_empty_coreset_has_no_neighbours_and_no_features_change_nothing():
    ours = SequentialCoreset(3)
    with pytest.raises(ValueError, match="empty"):
        ours.nearest(torch.zeros(2, 2))
    assert ours.update(torch.zeros(0, 4)) == 0
    assert len(ours.bank) == 0
