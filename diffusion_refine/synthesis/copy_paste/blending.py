"""Blending by Poisson's equation [Pérez 2003]: a piece keeps its gradients and takes the tone of where it is put."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from diffusion_refine.synthesis.generator import Mask

Values = NDArray[np.float64]
NEIGHBOURS = ((0, 1), (1, 0))  # each with its opposite


def membrane(region: Mask, rim: Mask, difference: Values) -> Values:
    """What is to be added to a piece within a region (h, w), so that it meets its surroundings: harmonic there.

    difference: (h, w, C) of the surroundings from the piece, known on `rim` (h, w). Where a pixel of the region has
    neither region nor rim beside it, as at a picture's border, nothing flows. Without a rim nothing is added. Returns
    (h, w, C), 0 outside the region; the solution of Poisson's equation minus the piece.
    """
    added = np.zeros(difference.shape)
    region = region & _reached(region, rim)
    count = int(np.count_nonzero(region))
    if not count:
        return added
    number = np.full(region.shape, -1, np.intp)
    number[region] = np.arange(count)
    rows, columns = [], []
    degree, given = np.zeros(count), np.zeros((count, difference.shape[2]))
    for down, right in NEIGHBOURS:
        first = slice(None, -down or None), slice(None, -right or None)
        second = slice(down, None), slice(right, None)
        for here, there in ((first, second), (second, first)):
            own = number[here]
            inside = (own >= 0) & region[there]
            at_rim = (own >= 0) & rim[there]
            rows.append(own[inside])
            columns.append(number[there][inside])
            np.add.at(degree, own[inside | at_rim], 1.0)
            np.add.at(given, own[at_rim], difference[there][at_rim])
    joined = np.concatenate(rows), np.concatenate(columns)
    off_diagonal = coo_matrix((np.full(len(joined[0]), -1.0), joined), shape=(count, count))
    diagonal = coo_matrix((degree, (np.arange(count), np.arange(count))), shape=(count, count))
    added[region] = splu((off_diagonal + diagonal).tocsc()).solve(given)
    return added


def _reached(region: Mask, rim: Mask) -> Mask:
    """The parts of a region, joined by sides, that have a rim beside them; nothing holds the tone of the others."""
    from scipy.ndimage import binary_dilation, label

    parts, count = label(region)
    beside = np.unique(parts[region & binary_dilation(rim)])
    held = np.zeros(count + 1, bool)
    held[beside] = True
    held[0] = False
    found: Mask = held[parts]
    return found
