"""Losses against torchvision's focal loss, closed forms and sums by hand."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from anomaly.studies.engine.labelled import IGNORED
from anomaly.studies.segmentation.losses import loss_of, weighted

RNG = np.random.default_rng(0)
LOGITS = torch.from_numpy(RNG.normal(0, 2, (2, 3, 5, 4)).astype(np.float32))
CLASSES = torch.from_numpy(RNG.integers(0, 3, (2, 5, 4)))
WEIGHTS = (0.1, 0.3, 0.6)  # [Jo 2025], appendix A


def test_focal_is_torchvisions_against_every_class() -> None:
    for k in range(2):
        targets = functional.one_hot(CLASSES[k], 3).permute(2, 0, 1).float()
        each = sigmoid_focal_loss(LOGITS[k], targets, alpha=0.25, gamma=2.0, reduction="none").mean(dim=(1, 2))
        ours = loss_of("focal")(LOGITS[k : k + 1], CLASSES[k : k + 1])
        torch.testing.assert_close(ours, each.mean())
        ours = loss_of("focal", WEIGHTS)(LOGITS[k : k + 1], CLASSES[k : k + 1])
        torch.testing.assert_close(ours, (each * torch.tensor(WEIGHTS)).sum() / sum(WEIGHTS))


def shares(logits: torch.Tensor, classes: torch.Tensor) -> tuple[list[float], list[float], list[float]]:
    """Hits, false positives and false negatives by class, in sums of probabilities."""
    p = logits.softmax(0).double().numpy()
    found = []
    for c in range(len(p)):
        there = classes.numpy() == c
        found.append((p[c][there].sum(), p[c][~there].sum(), (1 - p[c][there]).sum()))
    return tuple(zip(*found, strict=True))  # type: ignore[return-value]


@pytest.mark.parametrize(("name", "alpha", "beta"), [("dice", 0.5, 0.5), ("tversky", 0.3, 0.7)])
def test_overlap_losses_are_their_closed_forms(name: str, alpha: float, beta: float) -> None:
    hits, false, missed = shares(LOGITS[0], CLASSES[0])
    each = [1 - h / (h + alpha * f + beta * m) for h, f, m in zip(hits, false, missed, strict=True)]
    assert float(loss_of(name)(LOGITS[:1], CLASSES[:1])) == pytest.approx(np.mean(each), rel=1e-5)
    weighed = np.average(each, weights=WEIGHTS)
    assert float(loss_of(name, WEIGHTS)(LOGITS[:1], CLASSES[:1])) == pytest.approx(weighed, rel=1e-5)


def test_cross_entropy_weighs_pixels_by_their_class() -> None:
    log = LOGITS[0].log_softmax(0).numpy()
    of_pixel = [-log[c, i, j] for (i, j), c in np.ndenumerate(CLASSES[0].numpy())]
    weights = [WEIGHTS[c] for c in CLASSES[0].flatten()]
    ours = float(loss_of("cross_entropy", WEIGHTS)(LOGITS[:1], CLASSES[:1]))
    assert ours == pytest.approx(np.average(of_pixel, weights=weights), rel=1e-5)


def test_a_sum_is_the_sum() -> None:
    parts = [float(loss_of(name)(LOGITS[:1], CLASSES[:1])) for name in ("focal", "tversky")]
    assert float(loss_of("focal+tversky")(LOGITS[:1], CLASSES[:1])) == pytest.approx(sum(parts), rel=1e-6)


@pytest.mark.parametrize("name", ["focal", "tversky", "dice", "cross_entropy"])
def test_ignored_pixels_count_nothing(name: str) -> None:
    loss = loss_of(name)
    classes = CLASSES[:1].clone()
    classes[:, 3:] = IGNORED
    other = LOGITS[:1].clone()
    other[..., 3:, :] += 5
    torch.testing.assert_close(loss(LOGITS[:1], classes), loss(other, classes))


def test_pictures_count_by_their_weight() -> None:
    loss = loss_of("dice+cross_entropy")
    one, two = (float(loss(LOGITS[k : k + 1], CLASSES[k : k + 1])) for k in range(2))
    total = float(weighted(loss, LOGITS, CLASSES, torch.tensor([0.25, 2.0])))
    assert total == pytest.approx((0.25 * one + 2.0 * two) / 2, rel=1e-6)


@pytest.mark.parametrize("name", ["focal", "tversky", "dice", "cross_entropy"])
def test_a_picture_of_which_nothing_is_known_counts_nothing(name: str) -> None:
    loss, classes = loss_of(name), CLASSES.clone()
    classes[1] = IGNORED
    logits = LOGITS.clone().requires_grad_()
    total = weighted(loss, logits, classes, torch.ones(2))
    total.backward()
    assert math.isclose(float(total.detach()), float(loss(LOGITS[:1], CLASSES[:1])) / 2, rel_tol=1e-6)
    assert logits.grad is not None
    assert not logits.grad[1].any()


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(ValueError, match=r"found hinge; expected one of focal, tversky"):
        loss_of("dice+hinge")
