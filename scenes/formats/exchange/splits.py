"""Which pictures of an export are for training: as their source says, or drawn, without parting a surface."""

from __future__ import annotations

from collections.abc import Sequence

from scenes.formats.exchange.writer import TEST, TRAIN, VALIDATION
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group

WORDS = {"train": TRAIN, "validation": VALIDATION, "val": VALIDATION, "valid": VALIDATION, "test": TEST}


def splits_of(samples: Sequence[Sample], share: float, seed: int, learns_flaws: bool | None) -> list[str]:
    """Of every sample train, validation or test; "" where a format has no splits and the source says none.

    share: of the pictures that are not for training, where the source has no split. learns_flaws: whether flawed ones
    may be; else they, and the good ones of their surfaces, are for testing, and the share is of the other good ones.
    """
    said = [WORDS.get(sample.split, "") for sample in samples]
    if learns_flaws is None:
        return said
    if not any(said):
        flawed = {sample.group for sample in samples if sample.label != GOOD}
        open_to = [sample for sample in samples if learns_flaws or sample.group not in flawed]
        tested, _ = split_by_group(open_to, (share, 1 - share), seed)
        training = {sample.name for sample in open_to} - {sample.name for sample in tested}
        said = [TRAIN if sample.name in training else TEST for sample in samples]
    return [split or (TRAIN if sample.label == GOOD else TEST) for split, sample in zip(said, samples, strict=True)]
