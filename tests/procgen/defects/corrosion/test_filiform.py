"""Filiform corrosion: threads that never cross, keep their direction as long as they should, and only ever grow."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procgen.defects.corrosion.filiform import CLEARANCE, DAY, FilamentParameters, FiliformCorrosion, simulate_filaments
from procgen.errors import BlemishError
from procgen.surface.layer import LayerSample

PARAMETERS = FilamentParameters(density=600.0, speed=1e-3 / DAY, width=2e-4, decay=DAY)
SCRATCH = np.array([[0.0, 0.0], [0.01, 0.0], [0.02, 0.004]])


def flat(chart):
    return np.column_stack([chart, np.zeros(len(chart))])


def simulated(seed, time=6 * DAY, sources=(SCRATCH,), **changes):
    return simulate_filaments(replace(PARAMETERS, **changes), sources, time, np.random.default_rng(seed))


def threads_of(filaments):
    """The pieces, strung together where one begins at the end of another; scratches left out."""
    ends = {}
    for tail, head in zip(filaments.tails[filaments.lags[:, 0] < 1], filaments.heads, strict=False):
        string = ends.pop(tuple(tail), [tail])
        string.append(head)
        ends[tuple(head)] = string
    return [np.array(string) for string in ends.values()]


@pytest.mark.parametrize("seed", range(3))
def test_threads_keep_clear_of_one_another_and_of_their_own_tails(seed):
    """Every two points are a clearance apart, but those on the same thread that are near along it."""
    strings = threads_of(simulated(seed, density=1500.0))
    assert len(strings) > 15
    points = np.concatenate([string[:-1] for string in strings])  # the last may be cut short
    thread = np.repeat(np.arange(len(strings)), [len(string) - 1 for string in strings])
    rank = np.concatenate([np.arange(len(string) - 1) for string in strings])
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    neighbours = (thread[:, None] == thread[None]) & (np.abs(rank[:, None] - rank[None]) <= 8)
    starts = rank == 0  # on the scratch, wherever chance put them
    others = ~neighbours & ~(starts[:, None] | starts[None])
    assert apart[others].min() >= CLEARANCE * PARAMETERS.width * (1 - 1e-9)


def test_directions_are_forgotten_over_the_persistence_length():
    """⟨cos θ(s)⟩ = exp(-s/L) of lonely threads that have not had to turn aside."""
    cosines = []
    for seed in range(150):
        strings = threads_of(simulated(seed, 20 * DAY, [np.zeros((1, 2))], density=500.0, persistence=6e-3, decay=1.0))
        if len(strings) != 1 or len(strings[0]) < 80:
            continue
        steps = np.diff(strings[0][:60], axis=0)
        angle = np.arctan2(steps[:, 1], steps[:, 0])
        cosines.append(np.cos(angle[[10, 25, 50]] - angle[0]))
    assert len(cosines) > 30
    away = np.array([10, 25, 50]) * 0.4 * PARAMETERS.width
    assert np.mean(cosines, axis=0) == pytest.approx(np.exp(-away / 6e-3), abs=0.12)


def test_threads_leave_the_scratch_to_both_sides_as_fast_as_they_should():
    strings = threads_of(
        simulated(1, 3 * DAY, [np.array([[0.0, 0], [0.3, 0]])], density=300.0, persistence=1.0, decay=1.0)
    )
    reach = np.array([string[-1, 1] for string in strings])
    assert 0.35 < np.mean(reach > 0) < 0.65
    lengths = [np.linalg.norm(np.diff(string, axis=0), axis=1).sum() for string in strings]
    assert np.median(lengths) == pytest.approx(3e-3, rel=0.15)


@settings(max_examples=8)
@given(seed=st.integers(0, 2**31), ragged=st.floats(0, 0.5), creep=st.sampled_from([0.0, 1e-4]))
def test_corrosion_only_ever_grows(seed, ragged, creep):
    points = flat(np.random.default_rng(seed).uniform((-0.004, -0.008), (0.024, 0.012), (20_000, 2)))
    before = None
    for time in (0.0, DAY, 1.7 * DAY, 5 * DAY):
        threads = simulated(seed, time, creep=creep).embedded(flat)
        inside = FiliformCorrosion(threads, ragged=ragged, seed=seed % 100).evaluate(points).inside
        if time == 0:
            assert not inside.any()
        if before is not None:
            assert inside[before].all()
        before = inside
    assert before.any()


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), curved=st.booleans())
def test_mask_is_that_of_brute_force(seed, curved):
    def bent(chart, radius=0.02):
        angle = chart[:, 0] / radius
        return np.column_stack([radius * np.sin(angle), chart[:, 1], radius * np.cos(angle) - radius])

    embed = bent if curved else flat
    threads = simulated(seed).embedded(embed)
    points = embed(np.random.default_rng(seed).uniform((-0.002, -0.004), (0.022, 0.008), (3000, 2)))
    inside = np.zeros(len(points), dtype=bool)
    for tail, head, half_width in zip(threads.tails, threads.heads, threads.half_widths, strict=True):
        span = head - tail
        along = np.clip((points - tail) @ span / max(span @ span, 1e-300), 0, 1)
        inside |= np.linalg.norm(points - tail - along[:, None] * span, axis=1) <= half_width
    np.testing.assert_array_equal(FiliformCorrosion(threads, ragged=0.0).evaluate(points).inside, inside)
    assert inside.any()


def test_heads_are_dark_and_tails_are_rusty():
    threads = simulated(2, 3 * DAY, creep=0.0).embedded(flat)
    layer = FiliformCorrosion(threads, ragged=0.0, head_length=4e-4)
    newest, oldest = threads.lags[:, 1].argmin(), threads.lags[:, 0].argmax()
    sample = layer.evaluate(np.stack([threads.heads[newest], threads.tails[oldest]]))
    head, tail = sample.reflectance
    assert head.max() < 0.08
    assert tail[0] > 1.5 * tail[1] > 1.5 * tail[2]
    assert (sample.opacity == np.float32(0.85)).all()
    assert (sample.height > 2e-5).all()


def test_a_scratch_creeps_as_the_root_of_time():
    for days in (1, 4):
        threads = simulated(0, days * DAY, density=0.0, creep=2e-4)
        assert np.unique(threads.half_widths) == pytest.approx([2e-4 * days**0.5])


def test_an_instance_is_a_scratch_with_all_that_grew_from_it():
    far = SCRATCH + np.array([0, 0.02])
    threads = simulated(3, 4 * DAY, [SCRATCH, far]).embedded(flat)
    points = flat(np.random.default_rng(0).uniform((-0.005, -0.01), (0.025, 0.035), (40_000, 2)))
    sample = FiliformCorrosion(threads).evaluate(points)
    assert set(np.unique(sample.instance)) == {0, 1, 2}
    assert points[sample.instance == 1, 1].mean() < 0.01 < points[sample.instance == 2, 1].mean()


@settings(max_examples=8)
@given(seed=st.integers(0, 1000), keep=st.integers(1, 600))
def test_a_point_is_told_the_same_whoever_else_is_asked(seed, keep):
    layer = FiliformCorrosion(simulated(seed % 4).embedded(flat), seed=seed)
    rng = np.random.default_rng(seed)
    points = flat(rng.uniform((-0.004, -0.008), (0.024, 0.012), (600, 2)))
    chosen = rng.permutation(600)[:keep]
    whole, part = layer.evaluate(points), layer.evaluate(points[chosen])
    for field in fields(LayerSample):
        np.testing.assert_array_equal(getattr(whole, field.name)[chosen], getattr(part, field.name))
    for name in ("height", "opacity", "roughness", "reflectance"):
        assert not getattr(whole, name)[~whole.inside].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0.0}, "width = 0; expected a finite number, positive"),
        ({"density": -1.0}, "density = -1"),
        ({"persistence": float("inf")}, "persistence = inf"),
        ({"speed": 1.0}, "expected at most 12 m: fewer, slower or wider ones, or less time"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        simulated(0, **changes)


def test_threads_that_are_not_on_a_part_are_refused():
    with pytest.raises(BlemishError, match="embed them in a part"):
        FiliformCorrosion(simulated(0))
