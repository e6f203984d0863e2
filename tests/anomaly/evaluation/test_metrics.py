"""Metrics against scikit-learn, anomalib and brute force."""

import json

import numpy as np
import pytest
import sklearn.metrics
import torch
from scipy import ndimage

from anomaly.evaluation.metrics import (
    COVERAGES,
    Evaluator,
    MetricsError,
    ThresholdFinder,
    leaked,
    lowest_of_key,
    score_keys,
    without_small,
)
from anomaly.evaluation.results import Metrics
from scenes.formats.truth import DefectInstance, InstanceMaps, Truth
from scenes.pictures import regions


def rectangle(shape, top, left, height, width):
    mask = np.zeros(shape, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def random_case(rng, shape=(40, 50), scale=1.0, offset=0.0):
    """A smooth random defect mask and a noisy map that follows it somewhat."""
    defect = ndimage.gaussian_filter(rng.normal(size=shape), 3) > 0.12
    scores = scale * (offset + rng.gamma(2.0, size=shape) + 1.5 * defect * rng.random(shape))
    labels, count = ndimage.label(defect, np.ones((3, 3)))
    entries = [("defect", k + 1, "crack" if k % 2 else "pit") for k in range(count)]
    return scores.astype(np.float32), Truth(defect, InstanceMaps({"defect": labels}, entries))


@pytest.fixture
def cases():
    rng = np.random.default_rng(5)
    return [random_case(rng) for _ in range(6)]


def evaluated(cases, threshold=2.5, **options):
    evaluator = Evaluator(threshold, **options)
    for scores, truth in cases:
        evaluator.update(scores, truth, "good" if not truth.defect.any() else "crack")
    return evaluator.compute()


def flat(cases):
    return (
        np.concatenate([truth.defect.ravel() for _, truth in cases]),
        np.concatenate([scores.ravel() for scores, _ in cases]),
    )


def test_pixel_figures_equal_scikit_learn(cases):
    metrics = evaluated(cases)
    truth, scores = flat(cases)
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(truth, scores >= 2.5, average="binary")
    assert metrics.pixel_precision == pytest.approx(precision, abs=1e-6)
    assert metrics.pixel_recall == pytest.approx(recall, abs=1e-6)
    assert metrics.pixel_f1 == pytest.approx(f1, abs=1e-6)
    assert metrics.pixel_auroc == pytest.approx(sklearn.metrics.roc_auc_score(truth, scores), abs=2e-4)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1e-6, 0.0), (1e6, 0.0), (-1.0, 3.0), (1.0, 30.0)])
def test_pixel_auroc_needs_no_known_range_of_scores(scale, offset):
    rng = np.random.default_rng(9)
    cases = [random_case(rng, scale=scale, offset=offset) for _ in range(3)]
    truth, scores = flat(cases)
    assert evaluated(cases).pixel_auroc == pytest.approx(sklearn.metrics.roc_auc_score(truth, scores), abs=1e-3)


def test_aupro_equals_anomalib_which_keeps_every_pixel(cases):
    from anomalib.metrics.aupro import _AUPRO

    reference = _AUPRO()
    for scores, truth in cases:
        reference.update(torch.from_numpy(scores)[None], torch.from_numpy(truth.defect).int()[None])
    assert evaluated(cases).aupro == pytest.approx(float(reference.compute()), abs=1e-3)


def test_figures_are_the_same_band_by_band(cases, monkeypatch):
    whole = evaluated(cases, smallest=4)
    stained = [(scores, with_stain(truth)) for scores, truth in cases]
    leaks = [leaked(scores, scores >= 2.5, truth) for scores, truth in stained]
    assert any(map(any, leaks))
    monkeypatch.setattr(regions, "BAND", 3 * 50)
    banded = evaluated(cases, smallest=4)
    assert banded.classes == whole.classes
    for name in ("pixel_f1", "pixel_precision", "pixel_auroc", "aupro", "best_pixel_f1"):
        assert getattr(banded, name) == pytest.approx(getattr(whole, name), abs=1e-6)
    assert [leaked(scores, scores >= 2.5, truth) for scores, truth in stained] == leaks


def with_stain(truth):
    """The same defects, a stain over the middle of the picture."""
    stain = DefectInstance("stain", "impurity", rectangle(truth.defect.shape, 10, 10, 20, 30))
    return Truth(truth.defect, (*truth.instances, stain))


def test_aupro_of_perfect_and_of_constant_maps():
    truth = Truth(rectangle((20, 20), 3, 3, 5, 5))
    assert evaluated([(truth.defect.astype(np.float32), truth)]).aupro == pytest.approx(1.0)
    # One step from (0, 0) to (1, 1): the area under the diagonal up to .3, over .3.
    assert evaluated([(np.ones((20, 20), np.float32), truth)]).aupro == pytest.approx(0.15)


def test_maps_of_different_sizes_are_evaluated_together():
    rng = np.random.default_rng(2)
    cases = [random_case(rng, shape) for shape in ((20, 30), (33, 17), (64, 64))]
    truth, scores = flat(cases)
    assert evaluated(cases).pixel_auroc == pytest.approx(sklearn.metrics.roc_auc_score(truth, scores), abs=2e-4)


def test_image_auroc_equals_scikit_learn_where_a_sigmoid_would_saturate():
    rng = np.random.default_rng(0)
    labels = rng.random(60) < 0.4
    scores = 40 + rng.normal(size=60) + labels
    scores[:10] = 40.0  # ties
    evaluator = Evaluator(1.0)
    for label, score in zip(labels, scores, strict=True):
        evaluator.update(np.zeros((2, 2)), Truth(np.zeros((2, 2), bool)), "pit" if label else "good", score=score)
    metrics = evaluator.compute()
    assert metrics.image_auroc == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=1e-6)
    assert (metrics.images, metrics.good_images) == (60, int((~labels).sum()))
    assert metrics.image_roc.x[0] == metrics.image_roc.y[0] == 0
    assert metrics.image_roc.x[-1] == metrics.image_roc.y[-1] == 1


def test_image_score_is_the_highest_of_the_map_by_default():
    evaluator = Evaluator(1.0)
    clean = Truth(np.zeros((4, 4), bool))
    evaluator.update(np.full((4, 4), 0.5), clean, "good")
    peak = np.zeros((4, 4))
    peak[1, 2] = 0.6
    evaluator.update(peak, clean, "crack")
    assert evaluator.compute().image_auroc == 1.0


def test_best_threshold_is_the_best_of_all_thresholds(cases):
    finder = ThresholdFinder()
    for scores, truth in cases:
        finder.update(scores, truth.defect)
    truth, scores = flat(cases)
    precision, recall, _ = sklearn.metrics.precision_recall_curve(truth, scores)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    threshold = finder.compute()
    assert sklearn.metrics.f1_score(truth, scores >= threshold) == pytest.approx(best, abs=5e-4)
    assert evaluated(cases, threshold).pixel_f1 == pytest.approx(best, abs=5e-4)
    assert evaluated(cases).best_pixel_f1 == pytest.approx(best, abs=5e-4)


def test_threshold_without_validation_defects_predicts_no_validation_pixel():
    scores = np.random.default_rng(1).random((30, 30)).astype(np.float32)
    finder = ThresholdFinder()
    finder.update(scores, np.zeros((30, 30), bool))
    threshold = finder.compute()
    assert scores.max() < threshold < scores.max() * 1.002


def test_histogram_keys_keep_the_order_of_floats_and_their_edges_are_exact():
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(size=2000) * 10.0 ** rng.integers(-30, 30, 2000), [0.0, -0.0, 1.0, -1.0]])
    values = np.sort(values.astype(np.float32))
    keys = score_keys(values)
    assert np.all(np.diff(keys.astype(np.int64)) >= 0)
    assert score_keys(np.float32([-0.0])) == score_keys(np.float32([0.0]))
    edges = lowest_of_key(keys)
    assert np.all(values >= edges)
    for key in np.unique(keys)[::50]:
        np.testing.assert_array_equal(values >= lowest_of_key(key), keys >= key)


def test_defect_wise_recall_counts_instances_by_covered_share():
    shape = (30, 30)
    scratch, dent, stain = rectangle(shape, 0, 0, 1, 10), rectangle(shape, 10, 0, 10, 10), rectangle(shape, 0, 5, 4, 25)
    missed = rectangle(shape, 29, 0, 1, 4)
    instances = (
        DefectInstance("scratch", "defect", scratch),
        DefectInstance("scratch", "defect", missed),
        DefectInstance("dent", "defect", dent),
        DefectInstance("water_stain", "impurity", stain),
    )
    scores = np.zeros(shape)
    scores[0, :7] = 1  # 7 of 10 scratch pixels, of which 2 lie under the stain
    scores[10:20, :10] = 1  # the whole dent
    metrics = evaluated([(scores, Truth(scratch | dent | missed, instances))], threshold=1.0)
    assert list(metrics.classes) == ["dent", "scratch", "water_stain"]
    assert metrics.classes["dent"].curve == (1.0,) * len(COVERAGES)
    scratches = metrics.classes["scratch"]
    assert (scratches.instances, scratches.pixels, scratches.predicted_pixels) == (2, 14, 7)
    assert scratches.curve == (0.5,) * 10 + (0.0, 0.0)  # 70 % covers up to 50 % but neither 75 nor 100
    stains = metrics.classes["water_stain"]
    assert (stains.family, stains.pixel_recall, stains.defect_wise_recall) == ("impurity", 0.02, 1.0)
    assert stains.curve[:4] == (1.0, 1.0, 1.0, 0.0)  # exactly 2 % still counts at 2, no longer at 3
    assert metrics.mean_defect_wise_recall == 0.75  # impurities do not enter the mean
    assert metrics.mean_defect_wise_curve[-1] == 0.5


def test_instance_maps_and_separate_masks_give_the_same_figures(cases):
    separate = [(scores, Truth(truth.defect, tuple(truth.instances))) for scores, truth in cases]
    assert evaluated(separate).classes == evaluated(cases).classes


def test_recall_over_coverage_equals_brute_force(cases):
    metrics = evaluated(cases)
    for name in ("crack", "pit"):
        shares = [
            (scores[instance.mask] >= 2.5).mean()
            for scores, truth in cases
            for instance in truth.instances
            if instance.class_name == name
        ]
        for coverage, recall in zip(COVERAGES, metrics.classes[name].curve, strict=True):
            expected = np.mean([share > 0 and round(share * 100, 9) >= coverage for share in shares])
            assert recall == pytest.approx(expected)


def test_order_of_samples_changes_nothing(cases):
    forward, backward = evaluated(cases), evaluated(cases[::-1])
    assert forward.classes == backward.classes
    assert forward.aupro == pytest.approx(backward.aupro, abs=1e-9)
    assert forward.pixel_auroc == backward.pixel_auroc


def test_memory_does_not_grow_with_the_number_of_pictures():
    evaluator = Evaluator(0.5)
    rng = np.random.default_rng(0)

    def held():
        return sum(value.nbytes for value in vars(evaluator).values() if isinstance(value, np.ndarray))

    scores, truth = random_case(rng)
    evaluator.update(scores, truth, "crack")
    before = held()
    for _ in range(20):
        evaluator.update(scores, truth, "crack")
    assert held() == before
    assert len(evaluator._scores) == 21


def test_figures_without_meaning_are_none():
    clean = Truth(np.zeros((5, 5), bool))
    metrics = evaluated([(np.random.default_rng(0).random((5, 5)), clean)])
    assert metrics.images == metrics.good_images == 1
    undefined = (metrics.image_auroc, metrics.pixel_f1, metrics.pixel_auroc, metrics.aupro, metrics.best_pixel_f1)
    assert undefined == (None,) * 5
    assert metrics.mean_defect_wise_recall is None
    assert metrics.classes == {}


def test_metrics_survive_json(cases):
    metrics = evaluated(cases)
    assert Metrics.from_dict(json.loads(json.dumps(metrics.as_dict(), allow_nan=False))) == metrics


def test_curves_are_short_and_end_where_they_should(cases):
    metrics = evaluated(cases)
    curve = metrics.pixel_precision_recall
    assert len(curve.x) == len(curve.y) <= 201
    assert np.all(np.diff(curve.x) >= 0)
    assert curve.x[-1] == 1.0
    truth, scores = flat(cases)
    area = sklearn.metrics.average_precision_score(truth, scores)
    assert sklearn.metrics.auc(curve.x, curve.y) == pytest.approx(area, abs=0.01)


@pytest.mark.parametrize(
    ("scores", "message"),
    [(np.zeros((3, 4)), "scale the map to image size"), (np.full((4, 4), np.nan), "not finite")],
)
def test_unusable_maps_are_refused(scores, message):
    with pytest.raises(MetricsError, match=message):
        Evaluator(1.0).update(scores, Truth(np.zeros((4, 4), bool)), "good")
    with pytest.raises(MetricsError, match=message):
        ThresholdFinder().update(scores, np.zeros((4, 4), bool))


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(MetricsError, match="no picture"):
        Evaluator(1.0).compute()
    with pytest.raises(MetricsError, match="hold no pixel"):
        ThresholdFinder().compute()


def test_only_seen_pixels_count(cases):
    rng = np.random.default_rng(3)
    kept = rng.random((40, 50)) < 0.6
    kept[10:20, 10:30] = False
    evaluator, finder = Evaluator(2.5), ThresholdFinder()
    for scores, truth in cases:
        evaluator.update(scores, truth, "crack", valid_mask=kept)
        finder.update(scores, truth.defect, kept)
    metrics = evaluator.compute()
    defect = np.concatenate([truth.defect[kept] for _, truth in cases])
    scores = np.concatenate([scores[kept] for scores, _ in cases])
    assert metrics.pixel_f1 == pytest.approx(sklearn.metrics.f1_score(defect, scores >= 2.5), abs=1e-6)
    assert metrics.pixel_auroc == pytest.approx(sklearn.metrics.roc_auc_score(defect, scores), abs=2e-4)
    best = max(sklearn.metrics.f1_score(defect, scores >= t) for t in np.quantile(scores, np.linspace(0.3, 0.999, 60)))
    assert sklearn.metrics.f1_score(defect, scores >= finder.compute()) >= best - 5e-4


def test_small_predictions_are_dropped():
    predicted = rectangle((20, 20), 0, 0, 2, 2) | rectangle((20, 20), 5, 5, 3, 3)
    predicted[2, 2] = True  # touches the first only by a corner
    np.testing.assert_array_equal(without_small(predicted, 5), predicted)
    np.testing.assert_array_equal(without_small(predicted, 6), rectangle((20, 20), 5, 5, 3, 3))
    assert not without_small(predicted, 10).any()
    truth = Truth(rectangle((20, 20), 0, 0, 4, 4), (DefectInstance("pit", "defect", rectangle((20, 20), 0, 0, 4, 4)),))
    evaluator = Evaluator(1.0, smallest=6)
    evaluator.update(predicted.astype(float), truth, "pit")
    metrics = evaluator.compute()
    assert (metrics.pixel_recall, metrics.pixel_precision, metrics.mean_defect_wise_recall) == (0, 0, 0)
    assert metrics.smallest_prediction == 6


def leakage_scene():
    """A stain, a scratch under it, a dent beside it and a pit far away, and the truth of them."""
    shape = (40, 60)
    masks = {
        "stain": rectangle(shape, 5, 5, 20, 20),
        "scratch": rectangle(shape, 10, 8, 2, 10),
        "dent": rectangle(shape, 8, 25, 6, 8),
        "pit": rectangle(shape, 30, 50, 4, 4),
    }
    families = {"stain": "impurity"}
    instances = tuple(DefectInstance(name, families.get(name, "defect"), mask) for name, mask in masks.items())
    return masks, Truth(masks["scratch"] | masks["dent"] | masks["pit"], instances)


def test_a_defect_found_only_by_what_spilled_over_from_an_impurity_is_leakage():
    masks, truth = leakage_scene()
    scores = np.zeros((40, 60), np.float32)
    scores[masks["stain"]] = 3.0
    scores[9:12, 25:28] = 1.5  # what the stain's response leaves beside it, on the dent
    answers = dict(zip(masks, leaked(scores, scores >= 1, truth), strict=True))
    # The scratch's own pixels answer as strongly as the stain: no one can say that they would not without it.
    assert answers == {"stain": False, "scratch": False, "dent": True, "pit": False}
    scores[10, 27] = 3.5  # the dent answers more strongly than the stain
    assert not any(leaked(scores, scores >= 1, truth))
    scores[10, 27] = 1.5
    scores[8:14, 24] = 0  # and is not connected with it
    assert not any(leaked(scores, scores >= 1, truth))


def test_leakage_counts_for_the_class_and_survives_json():
    masks, truth = leakage_scene()
    scores = np.where(masks["stain"], 3.0, 0.0)
    scores[9:12, 25:28] = 1.5
    scores[masks["pit"]] = 2.0
    evaluator = Evaluator(1.0)
    for _ in range(2):
        evaluator.update(scores, truth, "dent")
    metrics = evaluator.compute()
    assert {name: recall.leaked for name, recall in metrics.classes.items()} == {
        "dent": 2, "pit": 0, "scratch": 0, "stain": 0,
    }  # fmt: skip
    assert metrics.classes["dent"].leakage == 1
    assert Metrics.from_dict(json.loads(json.dumps(metrics.as_dict()))) == metrics


def test_instance_maps_and_separate_masks_leak_alike():
    masks, truth = leakage_scene()
    scores = np.where(masks["stain"], 3.0, 0.0).astype(np.float32)
    scores[9:12, 25:28] = 1.5
    defects = np.zeros((40, 60), int)
    for number, name in enumerate(("scratch", "dent", "pit"), 1):
        defects[masks[name]] = number
    entries = [("impurity", 1, "stain"), ("defect", 1, "scratch"), ("defect", 2, "dent"), ("defect", 3, "pit")]
    mapped = Truth(defects > 0, InstanceMaps({"defect": defects, "impurity": masks["stain"].astype(int)}, entries))
    assert leaked(scores, scores >= 1, mapped) == leaked(scores, scores >= 1, truth)


def test_binned_metrics_of_anomalib_give_the_figures_of_its_exact_ones():
    from anomalib.metrics import F1AdaptiveThreshold
    from anomalib.metrics.aupro import _AUPRO
    from torchmetrics.classification import BinaryAUROC

    from anomaly.evaluation.anomalib_metrics import AUPRO, AUROC, PixelThreshold

    rng = np.random.default_rng(17)
    cases = [random_case(rng) for _ in range(6)]
    maps = torch.stack([torch.from_numpy(scores)[None] for scores, _ in cases])
    masks = torch.stack([torch.from_numpy(truth.defect) for _, truth in cases])

    class Evaluated:
        def __init__(self, part):
            self.anomaly_map, self.gt_mask = maps[part], masks[part]

    figures = []
    for kind in (PixelThreshold, AUROC, AUPRO):
        metric = kind(fields=["anomaly_map", "gt_mask"])
        held = sum(state.numel() for state in vars(metric)["_defaults"].values())
        for start in range(0, 6, 2):
            metric.update(Evaluated(slice(start, start + 2)))
        assert sum(getattr(metric, name).numel() for name in vars(metric)["_defaults"]) == held
        figures.append(float(metric.compute()))
    flat_maps, flat_masks = maps.flatten(), masks.flatten()
    exact = F1AdaptiveThreshold(fields=["anomaly_map", "gt_mask"])
    exact.update(Evaluated(slice(None)))
    f1 = [sklearn.metrics.f1_score(flat_masks, flat_maps >= t) for t in (figures[0], float(exact.compute()))]
    assert f1[0] == pytest.approx(f1[1], abs=1e-3)
    reference = BinaryAUROC()
    # Torchmetrics puts scores outside 0..1 through a sigmoid, whose upper end float32 rounds to ties.
    reference.update(flat_maps / (flat_maps.max() + 1), flat_masks.int())
    assert figures[1] == pytest.approx(float(reference.compute()), abs=1e-3)
    per_region = _AUPRO()
    per_region.update(maps[:, 0], masks.int())
    assert figures[2] == pytest.approx(float(per_region.compute()), abs=1e-3)
