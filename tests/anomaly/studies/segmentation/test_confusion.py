"""Figures of segmentation against torchmetrics and a count by hand."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassJaccardIndex, MulticlassRecall

from anomaly.studies.engine.labelled import IGNORED
from anomaly.studies.segmentation.confusion import confusion, figures_of

NAMES = ("a", "b", "c")


def test_a_count_by_hand() -> None:
    truth = np.array([[0, 0, 1, 1], [0, 2, 2, IGNORED]], np.uint8)
    predicted = np.array([[0, 1, 1, 1], [0, 2, 0, 2]], np.uint8)
    counts = confusion(truth, predicted, 4)
    expected = np.zeros((4, 4), int)
    expected[0, 0], expected[0, 1], expected[1, 1], expected[2, 2], expected[2, 0] = 2, 1, 2, 1, 1
    assert (counts == expected).all()
    figures = {key: values[0] for key, values in figures_of(counts[None], NAMES, np.ones((1, 1))).items()}
    # a: 2 hits of 3 in the union, all found; b: 1 of 2, half found; c is neither there nor predicted
    assert figures["iou/a"] == pytest.approx(2 / 3)
    assert figures["iou/b"] == pytest.approx(1 / 2)
    assert np.isnan(figures["iou/c"])
    assert np.isnan(figures["recall/c"])
    assert figures["iou"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert figures["recall"] == pytest.approx((1 + 1 / 2) / 2)
    assert figures["iou_with_background"] == pytest.approx((2 / 4 + 2 / 3 + 1 / 2) / 3)
    assert figures["recall_with_background"] == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)


def test_figures_are_torchmetrics() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, (6, 20, 30)).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.1] = IGNORED
    predicted = np.where(rng.random(truth.shape) < 0.6, truth % 4, rng.integers(0, 4, truth.shape)).astype(np.uint8)
    counts = np.stack([confusion(*pair, 4) for pair in zip(truth, predicted, strict=True)])
    # replicates: every surface once, and two draws with repetitions
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 0, 0, 1, 3, 0], [0, 0, 4, 1, 0, 1]], float)
    ours = figures_of(counts, NAMES, weights)
    for row, drawn in enumerate(weights.astype(int)):
        there, said = (torch.from_numpy(np.repeat(maps, drawn, axis=0)).long() for maps in (truth, predicted))
        for key, metric in (("iou", MulticlassJaccardIndex), ("recall", MulticlassRecall)):
            theirs = metric(4, average="none", ignore_index=IGNORED)(said, there).numpy()
            assert [ours[f"{key}/{name}"][row] for name in NAMES] == pytest.approx(theirs[1:], rel=1e-5)
            assert ours[key][row] == pytest.approx(theirs[1:].mean(), rel=1e-5)
            assert ours[f"{key}_with_background"][row] == pytest.approx(theirs.mean(), rel=1e-5)
