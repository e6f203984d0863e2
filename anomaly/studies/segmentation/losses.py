"""Losses of segmentation, a value for every picture, so that each may count by its weight; sums of them by name.

Focal, Tversky and Dice are those of segmentation-models-pytorch. Focal is the sigmoid one: every class against all
others, averaged over pixels and then over classes; [Lin 2017].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from anomaly.studies.engine.labelled import IGNORED

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0  # [Jo 2025], appendix A
TVERSKY_FALSE_POSITIVES, TVERSKY_FALSE_NEGATIVES = 0.3, 0.7  # [Salehi 2017], section 4

# Logits (1, C, H, W) and classes (1, H, W), IGNORED where none is known: the loss of that picture.
PictureLoss = Callable[[Tensor, Tensor], Tensor]
LOSSES = ("focal", "tversky", "cross_entropy", "dice")


def parts(name: str) -> tuple[str, ...]:
    """The losses that a sum, such as "focal+tversky", is made of. Raises ValueError for one that is not known."""
    named = tuple(name.split("+"))
    for part in named:
        if part not in LOSSES:
            raise ValueError(f"found {part}; expected one of {', '.join(LOSSES)}, or a sum such as focal+tversky")
    return named


def loss_of(name: str, class_weights: Sequence[float] | None = None) -> PictureLoss:
    """The loss of a name, or a sum of losses; class_weights: of the background and each class, by default all alike."""
    losses = [_one(part, None if class_weights is None else list(class_weights)) for part in parts(name)]

    def total(logits: Tensor, classes: Tensor) -> Tensor:
        return torch.stack([loss(logits, classes) for loss in losses]).sum()

    return total


def weighted(loss: PictureLoss, logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """The loss of a batch: logits (B, C, H, W), classes (B, H, W); the mean over its pictures of weight (B,) × loss.

    A picture of which nothing is known counts nothing.
    """
    terms = [
        weights[k] * loss(logits[k : k + 1], classes[k : k + 1])
        for k in range(len(weights))
        if bool((classes[k] != IGNORED).any())
    ]
    return torch.stack([logits.sum() * 0, *terms]).sum() / len(weights)


def _one(name: str, class_weights: list[float] | None) -> PictureLoss:
    from segmentation_models_pytorch import losses

    options: dict[str, Any] = {"mode": "multiclass", "ignore_index": IGNORED, "class_weights": class_weights}
    found: PictureLoss
    if name == "focal":
        found = losses.FocalLoss(alpha=FOCAL_ALPHA, gamma=FOCAL_GAMMA, **options)
    elif name == "tversky":
        found = losses.TverskyLoss(alpha=TVERSKY_FALSE_POSITIVES, beta=TVERSKY_FALSE_NEGATIVES, **options)
    elif name == "dice":
        found = losses.DiceLoss(**options)
    else:

        def found(logits: Tensor, classes: Tensor) -> Tensor:
            weight = None if class_weights is None else logits.new_tensor(class_weights)
            return functional.cross_entropy(logits, classes, weight, ignore_index=IGNORED)

    return found
