"""The test for drift: its ranks by their definition, false alarms and delays in simulation."""

import math

import numpy as np
import pytest
from scipy.stats import kstest

from anomaly.inspection.threshold import conformal_threshold
from anomaly.line.drift import FALSE_ALARM, DriftTest, reference_below

RUNS = 1000


def alarms(reference, stream, seed=0):
    """After how many scores of the stream drift is said; None: never."""
    test = DriftTest(reference, seed)
    for score in stream:
        test.update(score)
        if test.found_at is not None:
            break
    return test.found_at


@pytest.mark.parametrize("reference", [12, 60])
@pytest.mark.parametrize("law", ["gamma", "tied", "common cause"])
def test_false_alarms_are_rarer_than_stated_whatever_the_law(reference, law):
    rng = np.random.default_rng(reference + len(law))
    length = reference + 100
    draw = {
        "gamma": lambda: rng.gamma(3, 1, length),
        "tied": lambda: rng.integers(0, 5, length).astype(float),
        "common cause": lambda: rng.normal(0, 3) + rng.normal(0, 1, length),
    }[law]
    found = 0
    for run in range(RUNS):
        scores = draw().tolist()
        found += alarms(scores[:reference], scores[reference:], run) is not None
    assert found / RUNS <= FALSE_ALARM + 3 * math.sqrt(FALSE_ALARM / RUNS)


def test_false_alarms_stay_rare_over_a_long_time():
    rng = np.random.default_rng(5)
    found = [alarms(rng.normal(size=30).tolist(), rng.normal(size=1500).tolist(), run) for run in range(60)]
    assert sum(at is not None for at in found) <= 3


def test_false_alarms_stay_rare_where_the_threshold_comes_from_the_same_scores():
    """Good pictures above it are flagged and do not count; those below are compared with their like."""
    rng, found = np.random.default_rng(8), 0
    for run in range(RUNS):
        good = rng.normal(size=29).astype(np.float32).tolist()
        threshold = conformal_threshold(good, 0.2)
        stream = [score for score in rng.normal(size=100).astype(np.float32).tolist() if score < threshold]
        found += alarms(reference_below(good, threshold), stream, run) is not None
    assert found / RUNS <= FALSE_ALARM + 3 * math.sqrt(FALSE_ALARM / RUNS)


def test_evidence_is_worth_its_stake_on_average():
    """It is a martingale: after one score its mean is 1, by quadrature over the rank."""
    rng = np.random.default_rng(2)
    values = []
    for seed in range(3000):
        test = DriftTest(rng.random(10).tolist(), seed)
        values.append(min(test.update(float(rng.random())), 1e3))
    assert np.mean(values) == pytest.approx(1, abs=0.02)


def test_ranks_are_uniform_and_independent():
    rng = np.random.default_rng(4)
    scores = rng.integers(0, 30, 2020).astype(float).tolist()
    test = DriftTest(scores[:20], 3)
    ranks = []
    for number, score in enumerate(scores[20:]):
        known = scores[: 20 + number]
        above, equal = sum(s > score for s in known), sum(s == score for s in known) + 1
        rank = test._rank(score)
        test.count += 1
        ranks.append(rank)
        assert above / (len(known) + 1) < rank <= (above + equal) / (len(known) + 1)
    assert kstest(ranks, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(ranks[:-1], ranks[1:])[0, 1]) < 0.08


@pytest.mark.parametrize(("deviations", "within"), [(3, 20), (-3, 20), (1.5, 60)])
def test_a_shift_is_found_soon(deviations, within):
    rng = np.random.default_rng(6)
    delays = [
        alarms(rng.normal(size=40).tolist(), rng.normal(deviations, 1, 300).tolist(), run) or 300 for run in range(100)
    ]
    assert np.median(delays) <= within
    assert np.mean(np.array(delays) < 300) >= 0.95


def test_a_shift_after_a_long_good_time_is_found_soon_too():
    rng = np.random.default_rng(7)
    delays = []
    for run in range(40):
        good, shifted = rng.normal(size=1000), rng.normal(2.5, 1, 200)
        found = alarms(rng.normal(size=40).tolist(), [*good.tolist(), *shifted.tolist()], run)
        delays.append((found or 9999) - 1000)
    assert np.median(delays) <= 20


def test_it_says_where_scores_went():
    test = DriftTest([1.0 + k / 100 for k in range(30)])
    assert "none seen in 0 good pictures" in test.described
    for k in range(30):
        test.update(2 + k / 100)
    assert "rose" in test.described
    assert "2.195" in test.described
    assert "1.145" in test.described
