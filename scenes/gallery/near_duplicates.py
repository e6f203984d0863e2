"""Frames that show nearly the same: by the fine structure of their pictures, which no two surfaces share."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIDE = 48  # pixels a side to which a picture is reduced
BLUR = 1.5  # of those; what is coarser is light and shape
ALIKE = 0.9  # correlation from which on two frames show nearly the same
AT_A_TIME = 1024

Floats = NDArray[np.float32]


def fine_structure(grey: Floats) -> NDArray[np.int8]:
    """(SIDE²,) what is fine in a picture (H, W) of brightness, from -127 to 127 at its strongest."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    small = np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    fine = small - gaussian_filter(small, BLUR)
    structure: NDArray[np.int8] = np.rint(127 * fine / (np.abs(fine).max() or 1.0)).astype(np.int8).ravel()
    return structure


def written(structure: NDArray[np.int8]) -> str:
    """A fine structure in base64."""
    return base64.b64encode(structure.tobytes()).decode("ascii")


def read(texts: Sequence[str]) -> NDArray[np.int8]:
    """(N, SIDE²) fine structures from base64."""
    content = b"".join(map(base64.b64decode, texts))
    return np.frombuffer(content, np.int8).reshape(len(texts), SIDE * SIDE)


def near_duplicates(structures: NDArray[np.int8], pictures: Sequence[str]) -> NDArray[np.int64]:
    """(N,) a number from 0 for every group of frames that show nearly the same, -1 for a frame that has no like.

    structures: (N, SIDE²). pictures: what tells whether two pictures are one file, or "". Two frames are alike whose
    structures correlate by ALIKE or more, after what all have in common is taken away; and what they are alike to is of
    their group.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(structures)
    rows = structures.astype(np.float32)
    rows -= rows.mean(axis=0)
    deviation = rows.std(axis=0)
    rows /= np.where(deviation > 0, deviation, 1)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(length > 0, length, 1)
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, count if count > 2 else 0, AT_A_TIME):
        some = rows[start : start + AT_A_TIME]
        one, other = np.nonzero(some @ rows[start:].T >= ALIKE)
        first.append(one[other > one] + start)
        second.append(other[other > one] + start)
    known: dict[str, int] = {}
    for number, digest in enumerate(pictures):
        if digest and known.setdefault(digest, number) != number:
            first.append(np.array([known[digest]]))
            second.append(np.array([number]))
    ones, others = np.concatenate(first), np.concatenate(second)
    graph = coo_matrix((np.ones(len(ones)), (ones, others)), shape=(count, count))
    group = connected_components(graph, directed=False)[1]
    crowded = np.bincount(group, minlength=count)[group] > 1
    numbers = np.full(count, -1)
    if crowded.any():  # numbered as their first frames come
        order: dict[int, int] = {}
        numbers[crowded] = [order.setdefault(int(name), len(order)) for name in group[crowded]]
    return numbers
