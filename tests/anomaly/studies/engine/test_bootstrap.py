"""Counts by surface, against the metrics themselves; intervals, against closed forms."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from anomaly.evaluation.metrics import Evaluator
from anomaly.studies.anomaly.counts import SurfaceCounter, SurfaceCounts
from anomaly.studies.anomaly.replicates import FIGURES, class_recalls, replicated
from anomaly.studies.engine.bootstrap import draw, estimate
from scenes.formats.truth import DefectInstance, Truth


def evaluated(seed, count=24):
    """Maps, truths, labels and surfaces of pictures of several sizes, a third of them good, three to a surface."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        shape = ((40, 60), (52, 48))[index % 2]
        anomaly_map = gaussian_filter(rng.random(shape), 1).astype(np.float32) * 4
        instances = []
        for family, name in () if index % 3 == 0 else (("defect", "dent"), ("defect", "crack"), ("impurity", "dust")):
            mask = np.zeros(shape, bool)
            top, left = rng.integers(0, 30, 2)
            mask[top : top + rng.integers(2, 10), left : left + rng.integers(2, 10)] = True
            if family == "defect":
                anomaly_map[mask] += rng.random()
            instances.append(DefectInstance(name, family, mask))
        defect = np.zeros(shape, bool)
        for instance in instances:
            defect |= instance.mask & (instance.family == "defect")
        yield anomaly_map, Truth(defect, instances), "dent+crack" if instances else "good", f"surface {index // 3}"


def counted(seed, threshold=2.3, surfaces=None):
    counter, evaluator = SurfaceCounter(threshold), Evaluator(threshold)
    every = list(evaluated(seed))
    for index in [i for i in range(len(every)) if surfaces is None] or [
        i for name in surfaces for i in range(len(every)) if every[i][3] == name
    ]:
        anomaly_map, truth, label, surface = every[index]
        counter.update(anomaly_map, truth, label, surface, float(anomaly_map.max()))
        evaluator.update(anomaly_map, truth, label)
    return counter.counts(), evaluator.compute()


@pytest.mark.parametrize("seed", range(3))
def test_each_surface_once_gives_the_metrics_themselves(seed):
    counts, metrics = counted(seed)
    found = replicated(counts, np.ones((1, len(counts.surfaces))))
    for figure in ("pixel_precision", "pixel_recall", "pixel_f1", "mean_defect_wise_recall", "image_auroc"):
        assert found[figure][0] == pytest.approx(getattr(metrics, figure), abs=1e-6), figure
    for figure in ("pixel_auroc", "aupro"):
        assert found[figure][0] == pytest.approx(getattr(metrics, figure), abs=1e-3), figure
    for (_, name), (pixels, instances) in class_recalls(counts, np.ones((1, len(counts.surfaces)))).items():
        assert pixels[0] == pytest.approx(metrics.classes[name].pixel_recall)
        assert instances[0] == pytest.approx(metrics.classes[name].defect_wise_recall)


def test_a_surface_drawn_twice_counts_as_if_its_pictures_were_evaluated_twice():
    counts, _ = counted(5)
    drawn = [0, 0, 3, 3, 3, 6, 2]
    weights = np.bincount(drawn, minlength=len(counts.surfaces))[None].astype(float)
    _, metrics = counted(5, surfaces=[counts.surfaces[k] for k in drawn])
    found = replicated(counts, weights)
    for figure in FIGURES:
        assert found[figure][0] == pytest.approx(getattr(metrics, figure), abs=1e-3), figure


def test_figures_are_not_defined_without_what_they_need():
    counts, _ = counted(1)
    nothing = replicated(counts, np.zeros((1, len(counts.surfaces))))
    assert all(np.isnan(values[0]) for values in nothing.values())


def test_tally_survives_its_file(tmp_path):
    counts, _ = counted(2)
    counts.save(tmp_path / "counts.npz")
    again = SurfaceCounts.load(tmp_path / "counts.npz")
    assert again.surfaces == counts.surfaces
    assert again.classes == counts.classes
    for name in ("pixels", "recalls", "scores", "defective", "surface", "bins", "good", "bad", "shares", "regions"):
        np.testing.assert_array_equal(getattr(again, name), getattr(counts, name))


def test_surfaces_are_drawn_whole_and_by_kind():
    surfaces = {f"s{k}": k % 3 == 0 for k in range(30)}
    draws = draw(surfaces, 2, 200, 0)
    bad = np.array([surfaces[name] for name in draws.names])
    assert (draws.surfaces[:, bad].sum(axis=1) == bad.sum()).all()
    assert (draws.surfaces[:, ~bad].sum(axis=1) == (~bad).sum()).all()
    np.testing.assert_array_equal(draw(surfaces, 2, 200, 0).surfaces, draws.surfaces)
    assert (draw(surfaces, 2, 200, 1).surfaces != draws.surfaces).any()


def test_interval_of_a_mean_is_the_normal_one():
    """Recall over surfaces with one instance each: a share, whose bootstrap interval is known in closed form."""
    count, hits = 400, 260
    draws = draw({f"s{k:03}": True for k in range(count)}, 1, 4000, 3)
    outcomes = np.arange(count) < hits
    by_seed = np.concatenate([[outcomes.mean()], draws.surfaces @ outcomes / count])[None]
    found = estimate(by_seed, draws, 0.95)
    spread = norm.ppf(0.975) * np.sqrt(hits / count * (1 - hits / count) / count)
    assert found.value == pytest.approx(hits / count)
    assert found.low == pytest.approx(hits / count - spread, abs=0.004)
    assert found.high == pytest.approx(hits / count + spread, abs=0.004)


def test_pictures_of_one_surface_widen_the_interval_as_surfaces_do():
    """Ten equal pictures of a surface say no more than one."""
    rng = np.random.default_rng(0)
    found = rng.random(40) < 0.7
    widths = []
    for copies in (1, 10):
        counter = SurfaceCounter(1.0)
        for surface, hit in enumerate(found):
            for _ in range(copies):
                anomaly_map = np.full((4, 4), 2.0 if hit else 0.5, np.float32)
                mask = np.eye(4, dtype=bool)
                counter.update(
                    anomaly_map, Truth(mask, [DefectInstance("pit", "defect", mask)]), "pit", f"{surface}", 1
                )
        counts = counter.counts()
        draws = draw(dict.fromkeys(counts.surfaces, True), 1, 500, 0)
        recall = replicated(counts, draws.weights(counts.surfaces))["mean_defect_wise_recall"]
        one = estimate(recall[None], draws, 0.9)
        widths.append(one.high - one.low)
    assert widths[1] == pytest.approx(widths[0])
    assert widths[0] > 0.1


def test_seeds_that_disagree_widen_the_interval():
    draws = draw({f"s{k}": True for k in range(20)}, 2, 500, 0)
    agreeing, differing = (np.repeat(np.array(ends)[:, None], 501, axis=1) for ends in ([0.5, 0.5], [0.4, 0.6]))
    assert estimate(agreeing, draws, 0.95).high == estimate(agreeing, draws, 0.95).low == 0.5
    assert (estimate(differing, draws, 0.95).low, estimate(differing, draws, 0.95).high) == (0.4, 0.6)


def test_image_auroc_of_weighted_surfaces_is_that_of_a_weighted_sample():
    counts, _ = counted(7)
    weights = np.random.default_rng(1).integers(0, 4, (5, len(counts.surfaces))).astype(float)
    expected = [roc_auc_score(counts.defective, counts.scores, sample_weight=row[counts.surface]) for row in weights]
    np.testing.assert_allclose(replicated(counts, weights)["image_auroc"], expected, atol=1e-12)
