"""The test for drift: its ranks by their definition, false alarms and delays in simulation."""

import math

import numpy as np
import pytest
from scipy.stats import kstest

from anomaly.inspection.threshold import ThresholdRule, conformal_threshold
from anomaly.inspection.train import train_inspector
from anomaly.line.drift import FALSE_ALARM, DriftTest, reference_below
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD

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
    assert "none seen in 0 pictures" in test.described
    for k in range(30):
        test.update(2 + k / 100)
    assert "rose" in test.described
    assert "2.195" in test.described
    assert "1.145" in test.described


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_as_many_flagged_as_expected_are_no_drift_and_most_of_them_are(share):
    rng, false, delays = np.random.default_rng(11), 0, []
    for run in range(RUNS):
        scores = rng.normal(size=140).tolist()
        test = DriftTest(scores[:40], run, flagged_at_most=share)
        for score, is_flagged in zip(scores[40:], rng.random(100) < share, strict=True):
            test.flag() if is_flagged else test.update(score)
        false += test.found_at is not None
        if run < 50:
            test = DriftTest(scores[:40], run, flagged_at_most=share)
            while test.found_at is None and test.count < 100:
                test.flag() if rng.random() < 0.8 else test.update(float(rng.normal()))
            delays.append(test.count)
            assert "pictures are flagged, where at most" in test.described
    assert false / RUNS <= FALSE_ALARM + 3 * math.sqrt(FALSE_ALARM / RUNS)
    assert np.median(delays) <= 12


def test_on_real_tiles_drift_is_said_of_a_changed_exposure_alone(real_data, tmp_path):
    """A third of the good tiles train, a third are known good, a third come along, as they are and brighter."""
    of_surface = {}
    for sample in read_samples(real_data / "magnetic_tile"):
        if sample.label == GOOD:
            of_surface.setdefault(sample.group, sample)
    tiles = [of_surface[group] for group in sorted(of_surface)]
    tiles = [tiles[index] for index in np.random.default_rng(0).permutation(len(tiles))]
    inspector = train_inspector(
        tiles[:30],
        tmp_path,
        backbone="filters",
        size=256,
        epochs=2,
        image_size=256,
        validation=tiles[30:60],
        threshold=ThresholdRule(risk=0.1),
    )
    threshold = inspector.training.threshold
    reference = reference_below(inspector.training.good_scores, threshold)
    found = {}
    for exposure in (1.0, 1.25, 1.6):
        test = DriftTest(reference, flagged_at_most=0.2)
        for tile in tiles[60:]:
            brighter = np.rint((tile.image() * exposure).clip(0, 255)).astype(np.uint8)
            score = inspector.predict(brighter)[1]
            test.update(score) if score < threshold else test.flag()
        found[exposure] = test.found_at
    assert found[1.0] is None
    assert found[1.25] is not None
    assert found[1.6] is not None
    assert found[1.6] <= 20
