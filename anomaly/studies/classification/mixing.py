"""MixUp and CutMix, as timm has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from timm.data.mixup import Mixup
from torch import Tensor


def mixed(images: Tensor, labels: Tensor, method: str, alpha: float, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """A batch (B, 3, H, W) mixed with itself in reverse, and its labels (B,) as shares (B, classes); B is even.

    method: mixup [Zhang 2017] or cutmix [Yun 2019]; alpha: of the beta distribution that the shares come from.
    """
    strengths = {f"{name}_alpha": alpha if name == method else 0.0 for name in ("mixup", "cutmix")}
    mixup = Mixup(**strengths, label_smoothing=0.0, num_classes=classes)
    with _numpy_seeded(seed):
        pictures, shares = mixup(images.clone(), labels)
    return pictures, shares


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """Whatever draws from numpy's global generator within draws from `seed`; it is left as it was."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
