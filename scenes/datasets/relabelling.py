"""Masks that an edit of a picture has moved: what the records of frames say of them, read again and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.datasets.reader import Dataset, Frame

KEPT, RELABELLED, REFUSED = "kept", "re-labelled", "refused"
OUTCOMES = (KEPT, RELABELLED, REFUSED)


def masks_before(frame: Frame) -> dict[int, NDArray[np.bool_]]:
    """Instance -> its mask (H, W) before it was found again; of those instances alone."""
    from pycocotools import mask as run_length

    entries = _record(frame).get("found_again", ())
    return {entry["instance"]: run_length.decode(entry["before"]).astype(bool) for entry in entries}


def label_counts(dataset: Dataset) -> dict[str, Counter[str]]:
    """Class -> how many of its masks were kept, found again, and how many of its edits refused; classes in order.

    Empty for a dataset whose masks were not looked at.
    """
    counts: dict[str, Counter[str]] = {}
    for frame in dataset:
        names = {instance.id: instance.class_name for instance in frame.instances if instance.family == "defect"}
        for number, outcome in _record(frame).get("outcomes", {}).items():
            counts.setdefault(names[int(number)], Counter())[outcome] += 1
    return dict(sorted(counts.items()))


def thresholds(dataset: Dataset) -> list[float]:
    """Of the difference map, fractions of white, for every mask that was found by one; what was drawn has none."""
    found = (entry["threshold"] for frame in dataset for entry in _record(frame).get("found_again", ()))
    return [threshold for threshold in found if threshold > 0.0]


def label_table(counts: Mapping[str, Counter[str]]) -> list[tuple[str, ...]]:
    """Rows of words: a head, every class, and all of them."""
    total = sum(counts.values(), Counter[str]())
    rows = [(name, *(str(of_class[outcome]) for outcome in OUTCOMES)) for name, of_class in counts.items()]
    return [("class", *OUTCOMES), *rows, ("all", *(str(total[outcome]) for outcome in OUTCOMES))]


def _record(frame: Frame) -> dict[str, Any]:
    labels: dict[str, Any] = (frame.refinement or {}).get("labels", {})
    return labels
