"""The figures that `benchmarks/detectors.py` adds, against a count by hand, and its parts, which share no surface."""

from pathlib import Path

import numpy as np
import pytest

from anomaly.evaluation.metrics import Evaluator
from anomaly.studies.anomaly.counts import SurfaceCounter
from benchmarks.detectors import best_f1, false_alarms, parted
from scenes.formats.sample import GOOD, Sample
from scenes.formats.truth import DefectInstance, Truth

SHAPE = (12, 16)


def truth(defect: np.ndarray) -> Truth:
    return Truth(defect, [DefectInstance("spot", "defect", defect)] if defect.any() else [])


@pytest.fixture
def counted():
    rng = np.random.default_rng(0)
    counter, evaluator = SurfaceCounter(float("inf")), Evaluator(0.5)
    scores = {}
    for number in range(20):
        defect = np.zeros(SHAPE, bool)
        if number % 2:
            defect[3:6, 4:9] = True
        anomaly_map = (rng.random(SHAPE) + 0.7 * defect).astype(np.float32)
        label = "spot" if number % 2 else GOOD
        scores[number] = (float(anomaly_map.max()), bool(number % 2))
        counter.update(anomaly_map, truth(defect), label, f"s{number}", scores[number][0])
        evaluator.update(anomaly_map, truth(defect), label)
    return counter.counts(), evaluator.compute(), scores


def test_best_f1_is_that_of_the_evaluator(counted):
    counts, metrics, _ = counted
    weights = np.ones((1, len(counts.surfaces)))
    assert best_f1(counts, weights)[0] == pytest.approx(metrics.best_pixel_f1, abs=0.01)  # of bins 0.4 % wide


def test_false_alarms_by_hand(counted):
    counts, _, scores = counted
    weights = np.ones((1, len(counts.surfaces)))
    bad = sorted((score for score, flawed in scores.values() if flawed), reverse=True)
    good = [score for score, flawed in scores.values() if not flawed]
    assert false_alarms(counts, weights)[0] == np.mean([score >= bad[9] for score in good])  # all ten: 9 are 90 %
    double = np.array([[2.0 if name == "s0" else 1.0 for name in counts.surfaces]])
    alarms = [(scores[n][0] >= bad[9]) * (2 if n == 0 else 1) for n in scores if not scores[n][1]]
    assert false_alarms(counts, double)[0] == pytest.approx(sum(alarms) / 11)


def test_judged_surfaces_are_the_same_for_every_seed_and_never_trained_on():
    samples = [Sample(f"{n}", f"g{n // 2}", GOOD if n % 3 else "spot", Path(f"{n}.png")) for n in range(60)]
    every = [parted(samples, seed, None) for seed in range(3)]
    assert len({tuple(sample.name for sample in judged) for _, judged in every}) == 1
    assert len({tuple(sample.name for sample in bank) for bank, _ in every}) == 3
    for bank, judged in every:
        assert not {sample.group for sample in bank} & {sample.group for sample in judged}
        assert {sample.label for sample in bank} == {GOOD}
