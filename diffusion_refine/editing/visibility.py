"""Edits that leave a defect as visible as it was: as much of a change is taken back as that needs.

Denoising draws what a model has seen most, which is the surface without defects: it lowers contrasts. What a defect has
lost is found as the label check finds it. First the change of its tone is taken back, which leaves it the texture that
the model drew; where that is not enough, as where relief is all that shows, the texture as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from diffusion_refine.editing.label_check import (
    BARELY,
    LEAST_PIXELS,
    LEAST_RING,
    is_steeper,
    neighbourhood,
    ring_of,
    smoothed,
    visibility,
)

Picture = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

HALVINGS = 6  # of the interval in which the least share to take back lies
FADING = 3  # pixels beyond a mask over which what is taken back fades out
SPARE = 0.02  # of the visibility before; rounding to 8 bits and changes of neighbours cost some
TONE = 2.5  # pixels; what changes more slowly is tone, what changes faster is texture


def kept_visible(
    before: Picture, change: Picture, share: Picture, ids: NDArray[np.integer[Any]], mask: Mask, least: float
) -> NDArray[np.float64]:
    """The change (H, W, 3) of a picture (H, W, 3) in [0, 1], less where a defect would be seen too little after it.

    share: (H, W), how much of the change a pixel takes. ids: (H, W), of the defects, 0 where there is none; those in
    mask (H, W) are edited. least: share of its visibility that each keeps; one that was hardly seen before, or is too
    small to judge, may do as it likes.
    """
    held = np.array(change, np.float64)
    for number in np.unique(ids[mask & (ids > 0)]):
        own = ids == number
        span = neighbourhood(own)
        held[span] = _held(before[span], held[span], share[span][..., None], own[span], ids[span] > 0, least)
    return held


def _held(
    before: Picture, change: NDArray[np.float64], share: Picture, mask: Mask, every: Mask, least: float
) -> NDArray[np.float64]:
    """The change (H, W, 3) that is left to a defect's mask (H, W) among every one's; share (H, W, 1)."""
    ring, first = ring_of(mask, every), smoothed(before)
    if np.count_nonzero(mask) < LEAST_PIXELS or np.count_nonzero(ring) < LEAST_RING:
        return change
    steeper = is_steeper(first, mask, ring)
    was = visibility(first, mask, ring, steeper)
    if was < BARELY:
        return change

    inside = share * mask[..., None]  # the surroundings may change, but not what is asked of the defect

    def enough(tried: NDArray[np.float64]) -> bool:
        after = smoothed(np.clip(before + inside * tried, 0.0, 1.0))
        return visibility(after, mask, ring, steeper) >= min(least + SPARE, 1.0) * was

    if least == 0.0 or enough(change):
        return change
    fading = np.clip(1.0 - distance_transform_edt(~mask) / (FADING + 1), 0.0, 1.0)[..., None]
    tone = fading * _tone(change, mask)
    if enough(change - tone):
        back = _least_share(lambda back: enough(change - back * tone)) * tone
    else:
        detail = change - tone
        back = tone + _least_share(lambda back: enough((1.0 - back * fading) * detail)) * fading * detail
    left: NDArray[np.float64] = change - back
    return left


def _tone(change: NDArray[np.float64], mask: Mask) -> NDArray[np.float64]:
    """(H, W, 3): in a mask the mean of a change over what lies near in it, beside it the change itself."""
    weight = gaussian_filter(mask.astype(np.float64), TONE)[..., None]
    total = gaussian_filter(change * mask[..., None], (TONE, TONE, 0.0))
    tone: NDArray[np.float64] = np.where(mask[..., None], total / np.maximum(weight, 1e-6), change)
    return tone


def _least_share(enough: Callable[[float], bool]) -> float:
    """The least share, 0 to 1, with which it is enough, where it is with all."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
