"""What of a frame is refined or left as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from diffusion_refine.editing.realism import RealismSettings, share_map
from diffusion_refine.synthesis.generator import Ids


def units_of(defects: Ids, settings: RealismSettings) -> NDArray[np.int64]:
    """(H, W): numbers from 1 of what is refined or left as a whole; 0 where nothing changes.

    A unit is all that changes around one defect, and around others where these meet; the whole frame where the
    background changes too.
    """
    if settings.background:
        return np.ones(defects.shape, np.int64)
    parts, count = label(share_map(defects > 0, settings) > 0, structure=np.ones((3, 3)))
    there = defects > 0
    if not count:
        return np.zeros(defects.shape, np.int64)
    pairs = np.unique(np.stack([parts[there], defects[there].astype(np.int64) + count]), axis=1)
    size = int(pairs.max()) + 1
    graph = coo_matrix((np.ones(pairs.shape[1]), (pairs[0], pairs[1])), shape=(size, size))
    _, components = connected_components(graph, directed=False)
    _, numbers = np.unique(components[1 : count + 1], return_inverse=True)
    units: NDArray[np.int64] = np.concatenate([[0], numbers + 1]).astype(np.int64)[parts]
    return units
