"""What an inspector said of every frame: what the page is handed of it by those who can ask one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Judged:
    """One inspector's word on the N frames of a survey and the M things on them.

    name: that people know it by; folder: of the page's, with its packs. threshold: from which on a pixel is a defect,
    None where it has none; origin: how that was found. scores (N,): the highest value of each frame's map. peaks (M,):
    the highest value within each thing. low, high (N,): what 0 and 255 stand for in a frame's map. seen (N,): whether
    it was trained on the frame's surface, or kept it back for its threshold. packs: as `packed` gives them, of files
    that hold a frame's map as a PNG of 8 bits, of the size of its thumbnail.
    """

    name: str
    folder: str
    threshold: float | None
    origin: str
    scores: Floats
    peaks: Floats
    low: Floats
    high: Floats
    seen: NDArray[np.bool_]
    packs: Sequence[dict[str, Any]]
