"""What each arm is trained on: the real pictures of a split, and so many of its datasets' beside them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from anomaly.studies.engine.labelled import LabelledPicture, TrainingSet
from anomaly.studies.engine.study import ArmSettings


def training_set(
    arm: ArmSettings,
    real: Sequence[LabelledPicture],
    made: Mapping[str, Sequence[LabelledPicture]],
    synthetic_share: float | None,
    seed: int,
) -> TrainingSet:
    """Real pictures to train on, and those that the arm adds of `made`, by dataset, drawn by the seed alone.

    An epoch is as long as for the real pictures alone, whatever is added.
    """
    flawed = sum(bool(picture.labels) for picture in real)
    chosen = list(real) if arm.real else []
    if arm.shuffled:
        chosen = shuffled(chosen, seed)
    for name, times in arm.add.items():
        pool = made[name]
        order = np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(len(pool))
        wanted = sorted(int(k) for k in order[: max(1, round(times * flawed))])
        chosen += [replace(pool[k], weight=arm.weight * pool[k].weight, is_synthetic=True) for k in wanted]
    return TrainingSet(tuple(chosen), len(real), synthetic_share)


def shuffled(pictures: Sequence[LabelledPicture], seed: int) -> list[LabelledPicture]:
    """The same pictures with each other's labels and masks."""
    order = np.random.default_rng([seed, 1]).permutation(len(pictures))
    return [replace(picture, truth_of=pictures[int(k)].sample) for picture, k in zip(pictures, order, strict=True)]
