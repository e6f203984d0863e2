"""Average precision of drawn surfaces is pycocotools' own of the drawn pictures; a case by hand; the best threshold."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from anomaly.studies.detection.average_precision import Boxes, best_threshold, figures_of, matches

NAMES = ("a", "b")


def pictures(count: int, seed: int) -> tuple[list[Boxes], list[Boxes]]:
    """True boxes, and detections round most of them, some too loose, of the wrong class, or of nothing."""
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(count):
        objects = int(rng.integers(0, 5))
        corners = rng.uniform(0, 80, (objects, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(6, 20, (objects, 2))], axis=1).astype(np.float32)
        labels = rng.integers(1, 3, objects)
        truths.append(Boxes(boxes, labels, np.zeros(0)))
        near = np.repeat(boxes, 2, axis=0) + rng.normal(0, 1.2, (2 * objects, 4)).astype(np.float32)
        said = np.where(rng.random(2 * objects) < 0.85, np.repeat(labels, 2), 3 - np.repeat(labels, 2))
        lost = np.array([[5, 5, 12, 14]], np.float32) + rng.uniform(0, 60, (3, 1)).astype(np.float32)
        every = np.concatenate([near, lost])
        found.append(Boxes(every, np.concatenate([said, [1, 2, 1]]), rng.random(len(every))))
    return truths, found


def of_pycocotools(truths: list[Boxes], found: list[Boxes]) -> np.ndarray:
    """(T, C) average precision as its own evaluation accumulates it."""

    def coco(parts: list[Boxes]) -> COCO:
        made, annotations = COCO(), []
        for picture, part in enumerate(parts):
            scores = part.scores if len(part.scores) else np.ones(len(part.labels))
            for box, label, score in zip(part.boxes.tolist(), part.labels, scores, strict=True):
                width, height = box[2] - box[0], box[3] - box[1]
                annotations.append({
                    "id": len(annotations) + 1, "image_id": picture, "category_id": int(label), "score": score,
                    "bbox": [*box[:2], width, height], "area": width * height, "iscrowd": 0,
                })  # fmt: skip
        made.dataset = {"images": [{"id": k} for k in range(len(parts))], "annotations": annotations,
                        "categories": [{"id": 1}, {"id": 2}]}  # fmt: skip
        made.createIndex()
        return made

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco(truths), coco(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]  # all sizes, 100 detections
    return precision.mean(axis=1)


def test_it_is_pycocotools_for_any_draw_of_surfaces() -> None:
    truths, found = pictures(14, 0)
    surfaces = [0, 0, 1, 1, 1, 2, 3, 3, 4, 4, 5, 5, 5, 5]
    counts = {**matches(truths, found, surfaces, 6, 2), "threshold": np.array([0.5])}
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 0, 1, 3, 0, 0], [0, 1, 0, 0, 4, 1], [2, 0, 1, 3, 0, 0]], float)
    ours = figures_of(counts, NAMES, weights)
    for row, drawn in enumerate(weights.astype(int)):
        chosen = [k for k, surface in enumerate(surfaces) for _ in range(drawn[surface])]
        theirs = of_pycocotools([truths[k] for k in chosen], [found[k] for k in chosen])
        assert [ours[f"map/{name}"][row] for name in NAMES] == pytest.approx(theirs.mean(axis=0), abs=1e-9)
        assert [ours[f"map50/{name}"][row] for name in NAMES] == pytest.approx(theirs[0], abs=1e-9)
        assert ours["map"][row] == pytest.approx(theirs.mean())
        assert 0.05 < ours["map"][row] < 0.95


def test_a_case_by_hand() -> None:
    truth = Boxes(np.array([[0, 0, 10, 10], [20, 20, 30, 30]], np.float32), np.array([1, 1]), np.zeros(0))
    said = Boxes(
        np.array([[0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 26]], np.float32),
        np.array([1, 1, 1]),
        np.array([0.9, 0.8, 0.7]),
    )
    counts = {**matches([truth], [said], [0], 1, 2), "threshold": np.array([0.75])}
    figures = {key: float(values[0]) for key, values in figures_of(counts, NAMES, np.ones((1, 1))).items()}
    # Overlap 1, none, and .6: right at .5, .55 and .6. Precision 1 to recall .5, which are 51 of 101 recalls, then 2/3.
    loose, strict = (51 + 50 * 2 / 3) / 101, 51 / 101
    assert figures["map50/a"] == pytest.approx(loose)
    assert figures["map/a"] == pytest.approx((3 * loose + 7 * strict) / 10)
    assert figures["recall/a"] == pytest.approx(0.5)  # of the first two detections, whose score is high enough
    assert figures["precision/a"] == pytest.approx(0.5)
    assert np.isnan(figures["map/b"])
    assert figures["map"] == figures["map/a"]


def test_pictures_without_objects_or_detections() -> None:
    nothing = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, int), np.zeros(0))
    truths, found = pictures(1, 1)
    counts = {**matches([nothing, truths[0]], [nothing, nothing], [0, 1], 2, 2), "threshold": np.array([0.5])}
    figures = figures_of(counts, NAMES, np.array([[1.0, 1.0], [1.0, 0.0]]))
    assert figures["map"][0] == figures["recall"][0] == figures["precision"][0] == 0
    assert np.isnan(figures["map"][1])
    counts = matches([nothing], [found[0]], [0], 1, 2)
    assert counts["right"].shape == (len(found[0].scores), 10)
    assert not counts["right"].any()
    assert best_threshold(counts) == 0.5


def test_the_best_threshold_is_that_of_best_f1() -> None:
    truths, found = pictures(9, 2)
    counts = matches(truths, found, list(range(9)), 9, 2)
    total = counts["objects"].sum()

    def f1(threshold: float) -> float:
        said = counts["score"] >= threshold
        return 2 * counts["right"][said, 0].sum() / (said.sum() + total)

    best = max(counts["score"], key=f1)
    assert f1(best_threshold(counts)) == f1(best)
    counts["score"] = np.round(counts["score"], 1)  # many are equal
    assert f1(best_threshold(counts)) == max(map(f1, counts["score"]))
