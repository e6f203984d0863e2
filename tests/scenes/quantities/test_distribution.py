import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.quantities.distribution import Choice, Constant, Distribution, Normal, Poisson, Uniform, Within, parse

numbers = st.floats(-1e6, 1e6)
intervals = st.tuples(numbers, numbers).map(sorted)
positive_intervals = st.tuples(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6)).map(sorted)
written_distributions = st.one_of(
    numbers,
    st.builds(lambda ends: {"uniform": ends}, intervals),
    st.builds(lambda ends: {"log_uniform": ends}, positive_intervals),
    st.builds(lambda mean, sd: {"normal": [mean, sd]}, numbers, st.floats(0, 1e3)),
    st.builds(lambda mean, sd, ends: {"normal": [mean, sd], "clip": ends}, numbers, st.floats(0, 1e3), intervals),
    st.builds(lambda values: {"choice": values}, st.lists(numbers, min_size=1, max_size=8)),
    st.builds(lambda rate: {"poisson": rate}, st.floats(0, 1e4)),
)


@given(written_distributions)
def test_what_is_written_is_what_was_parsed(written: object) -> None:
    distribution = parse(written)
    assert distribution.written() == written
    assert parse(distribution.written()) == distribution


@given(written_distributions, st.integers(0, 2**32))
def test_samples_stay_between_low_and_high(written: object, seed: int) -> None:
    distribution = parse(written)
    rng = np.random.default_rng(seed)
    samples = [distribution.sample(rng) for _ in range(5)]
    assert all(type(sample) is float and distribution.low <= sample <= distribution.high for sample in samples)


@pytest.mark.parametrize(
    ("written", "mean", "deviation"),
    [
        ({"uniform": [2, 6]}, 4, 4 / math.sqrt(12)),
        ({"log_uniform": [1, math.e]}, math.e - 1, math.sqrt((math.e**2 - 1) / 2 - (math.e - 1) ** 2)),
        ({"normal": [3, 0.5]}, 3, 0.5),
        ({"choice": [0, 0, 3]}, 1, math.sqrt(2)),
        ({"poisson": 4}, 4, 2),
    ],
)
def test_moments_are_those_of_the_closed_forms(written: object, mean: float, deviation: float) -> None:
    rng, distribution, count = np.random.default_rng(1), parse(written), 20_000
    samples = [distribution.sample(rng) for _ in range(count)]
    assert np.mean(samples) == pytest.approx(mean, abs=5 * deviation / math.sqrt(count))
    assert np.std(samples) == pytest.approx(deviation, rel=0.03)


def test_whole_numbers_of_an_interval_are_equally_likely_ends_included() -> None:
    rng = np.random.default_rng(2)
    drawn = np.bincount([Uniform(1, 3).sample_whole(rng) for _ in range(6000)], minlength=5)
    assert drawn[0] == drawn[4] == 0
    assert np.allclose(drawn[1:4], 2000, atol=5 * math.sqrt(2000))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("shiny", "found 'shiny'; expected a number, {uniform: [low, high]}"),
        (True, "found True; expected a number"),
        (None, "found None"),
        (math.nan, "expected a finite number"),
        (math.inf, "expected a finite number"),
        (10**400, "expected a finite number"),
        ({"uniform": [3, 1]}, "{uniform: [3, 1]}, which runs downwards; expected {uniform: [1, 3]}"),
        ({"uniform": [1]}, "expected a list of 2 numbers"),
        ({"uniform": [1, "2"]}, "found '2' in {uniform: ...}; expected a number"),
        ({"log_uniform": [0, 1]}, "expected both ends above 0"),
        ({"normal": [0, -1]}, "expected a deviation of 0 or more"),
        ({"normal": [0, 1], "clip": [2, 1]}, "expected clip: [1, 2]"),
        ({"uniform": [0, 1], "clip": [0, 1]}, "expected a number, {uniform"),
        ({"choice": []}, "expected 1 to 1000"),
        ({"poisson": -1}, "expected a rate from 0"),
        ({"triangular": [0, 1]}, "found {'triangular': [0, 1]}"),
        ({"uniform": [0, 1], "choice": [1]}, "expected a number, {uniform"),
        ({}, "found {}"),
        ([1, 2], "found [1, 2]"),
    ],
)
def test_refusals_say_what_was_found_and_what_is_expected(written: object, told: str) -> None:
    with pytest.raises(ValueError, match="found") as refusal:
        parse(written)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("distribution", "told"),
    [
        (Constant(1.5), "found 1.5; expected 0 to 1"),
        (Uniform(0.5, 1.5), "found {uniform: [0.5, 1.5]}, which reaches from 0.5 to 1.5; expected 0 to 1"),
        (Normal(0.5, 0.1), "which has no bounds; expected clip: [low, high] beside it, within 0 to 1"),
        (Normal(0.5, 0.1, (-1, 1)), "reaches from -1 to 1"),
        (Choice((0, 2)), "reaches from 0 to 2"),
        (Poisson(1), "expected 0 to 1"),
    ],
)
def test_bounds_hold_for_everything_a_distribution_can_return(distribution: Distribution, told: str) -> None:
    with pytest.raises(ValueError, match="found") as refusal:
        Within(0, 1).check(distribution)
    assert told in str(refusal.value)


def test_counts_are_whole() -> None:
    assert Within(0, 9, whole=True).check(Choice((0.0, 3.0))) == Choice((0.0, 3.0))
    with pytest.raises(ValueError, match="expected whole numbers"):
        Within(0, 9, whole=True).check(Uniform(0, 1.5))
