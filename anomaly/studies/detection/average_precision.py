"""Average precision for any choice among the surfaces: pycocotools matches, once; figures follow from its matches.

A detection is right at a threshold where its box overlaps an object of its class by that intersection over union and no
better detection does; [Lin 2014]. Precision is taken at 101 recalls, as the greatest at any recall from there on.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of intersection over union
RECALLS = np.linspace(0.0, 1.0, 101)
MOST = 100  # detections of a picture and class that are judged
ROWS = 64  # replicates at once


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes (N, 4), first and last corner in pixels; their classes (N,) from 1, and scores (N,) of detections."""

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    scores: Values


def matches(
    truths: Sequence[Boxes], detections: Sequence[Boxes], surfaces: Sequence[int], groups: int, classes: int
) -> dict[str, NDArray[Any]]:
    """What pycocotools matches in pictures: truths and detections of each, and which of so many surfaces it shows.

    objects (G, C): true ones of every surface and class. Of N judged detections: surface (N,), label (N,), score (N,),
    right (N, T) at each of THRESHOLDS.
    """
    judged = _judged(truths, detections, classes)
    objects = np.zeros((groups, classes), np.int64)
    rows: list[tuple[NDArray[Any], ...]] = []
    for label in range(1, classes + 1):
        for picture, surface in enumerate(surfaces):
            found = judged[(label - 1) * len(surfaces) + picture]
            if found is None:
                continue
            objects[surface, label - 1] += len(found["gtIds"])
            scores = np.asarray(found["dtScores"], np.float64)
            right = np.asarray(found["dtMatches"]).reshape(len(THRESHOLDS), -1).T > 0
            rows.append((np.full(len(scores), surface), np.full(len(scores), label), scores, right))
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)] if rows else []
    empty: list[NDArray[Any]] = [np.zeros(0), np.zeros(0), np.zeros(0), np.zeros((0, len(THRESHOLDS)))]
    shown_on, label_of, score, right_at = columns or empty
    return {
        "objects": objects,
        "surface": shown_on.astype(np.int64),
        "label": label_of.astype(np.int64),
        "score": score.astype(np.float64),
        "right": right_at.astype(np.bool_),
    }


def figures_of(counts: Mapping[str, NDArray[Any]], names: Sequence[str], weights: Values) -> dict[str, Values]:
    """Figures (R,) for R choices among surfaces, weights (R, G); counts: those of `matches`, and threshold (1,).

    "map" over all THRESHOLDS and "map50" at the first; "recall" and "precision" there of the detections whose score is
    the threshold or more; of single classes with "/NAME". Means are over the classes of which there are objects.
    """
    unique, places = np.unique(weights, axis=0, return_inverse=True)
    by_class: dict[str, list[Values]] = {figure: [] for figure in ("map", "map50", "recall", "precision")}
    for number in range(1, len(names) + 1):
        mine = counts["label"] == number
        order = np.argsort(-counts["score"][mine], kind="mergesort")
        right, surface = counts["right"][mine][order], counts["surface"][mine][order]
        objects = unique @ counts["objects"][:, number - 1]
        precisions = average_precisions(right, unique[:, surface], objects)
        certain = counts["score"][mine][order] >= float(counts["threshold"][0])
        drawn = unique[:, surface] * certain
        hits, said = drawn @ right[:, 0], drawn.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            by_class["map"].append(precisions.mean(axis=1))
            by_class["map50"].append(precisions[:, 0])
            by_class["recall"].append(hits / objects)
            # Nothing said is nothing right.
            by_class["precision"].append(np.where(objects > 0, hits / np.maximum(said, 1e-12), np.nan))
    found: dict[str, Values] = {}
    for figure, values in by_class.items():
        stacked = np.stack(values, axis=1)
        defined = np.isfinite(stacked)
        with np.errstate(invalid="ignore"):
            found[figure] = (np.where(defined, stacked, 0.0).sum(axis=1) / defined.sum(axis=1))[places]
        found |= {f"{figure}/{name}": stacked[places, k] for k, name in enumerate(names)}
    return found


def average_precisions(right: NDArray[np.bool_], drawn: Values, objects: Values) -> Values:
    """(R, T) for detections by falling score: right (N, T), how often each is drawn (R, N), and of objects (R,)."""
    count, thresholds = right.shape
    result = np.zeros((len(drawn), thresholds))
    for begin in range(0, len(drawn), ROWS):
        some = slice(begin, begin + ROWS)
        for threshold in range(thresholds if count else 0):
            hits = np.cumsum(drawn[some] * right[:, threshold], axis=1)
            misses = np.cumsum(drawn[some] * ~right[:, threshold], axis=1)
            precision = hits / (hits + misses + np.spacing(1))
            greatest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            for row, total in enumerate(objects[some]):
                if total > 0:
                    places = np.searchsorted(hits[row] / total, RECALLS, side="left")
                    reached = places < count
                    result[begin + row, threshold] = greatest[row, places[reached]].sum() / len(RECALLS)
    result[objects <= 0] = np.nan
    return result


def best_threshold(counts: Mapping[str, NDArray[Any]]) -> float:
    """The score from which on detections have the best F1 at the first of THRESHOLDS; 0.5 where there is no object."""
    total, order = counts["objects"].sum(), np.argsort(-counts["score"], kind="mergesort")
    if not total or not len(order):
        return 0.5
    scores, hits = counts["score"][order], np.cumsum(counts["right"][order, 0])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + total)
    f1[:-1][scores[:-1] == scores[1:]] = -1  # equal scores are taken together
    return float(scores[int(np.argmax(f1))])


def _judged(truths: Sequence[Boxes], detections: Sequence[Boxes], classes: int) -> list[dict[str, Any] | None]:
    """pycocotools' evaluation of every class and picture, classes first."""
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        evaluation = COCOeval(_coco(truths, classes), _coco(detections, classes), "bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets, evaluation.params.iouThrs = [MOST], THRESHOLDS
        evaluation.evaluate()
    found: list[dict[str, Any] | None] = evaluation.evalImgs
    return found


def _coco(pictures: Sequence[Boxes], classes: int) -> Any:
    from pycocotools.coco import COCO

    annotations: list[dict[str, Any]] = []
    for picture, boxes in enumerate(pictures):
        scores = boxes.scores if len(boxes.scores) else np.ones(len(boxes.labels))
        for (left, top, right, bottom), label, score in zip(
            boxes.boxes.tolist(), boxes.labels.tolist(), scores.tolist(), strict=True
        ):
            width, height = right - left, bottom - top
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": picture, "category_id": label, "score": score,
                    "bbox": [left, top, width, height], "area": width * height, "iscrowd": 0,
                }
            )  # fmt: skip
    coco = COCO()
    coco.dataset = {
        "images": [{"id": picture} for picture in range(len(pictures))],
        "annotations": annotations,
        "categories": [{"id": label} for label in range(1, classes + 1)],
    }
    coco.createIndex()
    return coco
