"""Splitting samples into parts without parting a surface."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from scenes.formats.errors import SampleError
from scenes.formats.sample import GOOD, Sample


def split_by_group(samples: Sequence[Sample], fractions: Sequence[float], seed: int) -> list[list[Sample]]:
    """Disjoint lists of about the given shares, whose groups are never parted; the same seed gives the same lists.

    fractions: non-negative, summing to at most 1; what they leave over goes nowhere. Every group goes where samples
    of its kind (good, defective) are most wanting, largest groups first, in an order that the seed decides among
    equals; so each list gets its share of good and of defective samples as well as the groups allow.
    """
    shares = np.asarray([*fractions, max(0.0, 1 - sum(fractions))])
    if not len(fractions) or (shares < 0).any() or sum(fractions) > 1 + 1e-9:
        raise SampleError(f"fractions {tuple(fractions)}: expected non-negative numbers that sum to at most 1")
    groups: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        groups.setdefault(sample.group, []).append(index)
    counts = {g: Counter(samples[i].label == GOOD for i in members) for g, members in groups.items()}
    vectors = {g: np.array([c[True], c[False]], float) for g, c in counts.items()}
    wanted = shares[:, None] * np.sum(list(vectors.values()), axis=0) if vectors else np.zeros((len(shares), 2))
    names = sorted(groups)
    np.random.default_rng(seed).shuffle(names)
    parts: list[list[int]] = [[] for _ in shares]
    scale = np.maximum(wanted.sum(axis=0), 1)
    for name in sorted(names, key=lambda g: -len(groups[g])):
        # The growth of the squared relative shortfall is linear in what is still wanted: choose the largest shortfall.
        need = (wanted - vectors[name] / 2) / scale @ (vectors[name] / scale)
        open_parts = np.flatnonzero(shares > 0)
        chosen = int(open_parts[np.argmax(need[open_parts])])
        wanted[chosen] -= vectors[name]
        parts[chosen] += groups[name]
    return [[samples[i] for i in sorted(part)] for part in parts[: len(fractions)]]
