"""Finding the mask of a defect again where an edit moved its edge.

A pixel changes sides where the edit changed it by more than a share of the defect's contrast, and where it lies on the
other side of that share of the contrast afterwards: nearer to the tone of the surroundings, or to the defect's. At a
half, the default, that is where the edge of a blurred step lies. All other pixels keep their label, so that an edit
that moves no edge leaves the mask as it is, however much the defect looks otherwise afterwards. [Jo 2025] labels anew
without saying how; this is this project's own way.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_fill_holes, label

from diffusion_refine.editing.label_check import GUARD, LEAST_PIXELS, LEAST_SPREAD, RING, ring_of, smoothed
from procgen.errors import BlemishError

Picture = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

HIGH = 0.9  # quantile of the deviations in a defect that stands for its contrast; its edge is blurred
FAINTEST = 0.25  # of its contrast that a defect keeps; what stands out less is healed
NOISES = 2.0  # spreads of the surroundings that a threshold exceeds at least
EVERY_WAY = np.ones((3, 3), bool)


@dataclass(frozen=True)
class RelabelSettings:
    """How masks are found again.

    share: of the defect's contrast by which a pixel must have changed, the threshold. same: intersection over union
    with the old mask from which on that is kept. least: below which the defect counts as lost, and the edit as refused.
    Raises BlemishError for shares that are none.
    """

    share: float = 0.5
    same: float = 0.95
    least: float = 0.1

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0.0 < value < 1.0:
                raise BlemishError(f"re-labelling: {name}: found {value}; expected a share between 0 and 1")


@dataclass(frozen=True, eq=False)
class Found:
    """A mask (H, W) found again. threshold: of the difference map, of white. overlap: IoU with the old mask.

    into: the instance that took its place together with its own, where there is none of it any more.
    """

    mask: Mask
    threshold: float
    overlap: float
    into: int | None = None


def found_again(
    before: Picture, after: Picture, ids: NDArray[np.integer[Any]], number: int, reach: int, share: float = 0.5
) -> Found:
    """The mask of instance `number` of ids (H, W) after an edit of pictures (H, W[, 3]) in [0, 1].

    reach: pixels beyond the old mask in which it may be found, the window. Other instances keep their pixels.
    """
    old, every = ids == number, ids > 0
    window = _dilated(old, reach) & ~(every & ~old)
    span = _around(window, GUARD + RING)
    first, second = (smoothed(picture[span]) for picture in (before, after))
    cut, inside = old[span], window[span]
    ring = ring_of(inside, every[span] | inside)
    if not ring.any():
        return Found(old, 0.0, 1.0)
    usual = [np.median(picture[ring], axis=0) for picture in (first, second)]
    was, now = (np.abs(picture - tone).max(axis=2) for picture, tone in zip((first, second), usual, strict=True))
    difference = np.abs(second - first).max(axis=2)
    noise = NOISES * max(float(np.quantile(now[ring], 0.68)), LEAST_SPREAD)
    own = float(np.quantile(was[cut], HIGH))
    contrast = max(float(np.quantile(now[cut], HIGH)), FAINTEST * own)
    threshold = max(share * min(own, contrast), noise)
    changed = inside & (difference > threshold)
    flawed = now > max(share * contrast, noise)
    marked = (cut & ~(changed & ~flawed)) | (changed & flawed)
    mask = np.zeros_like(old)
    mask[span] = cleaned(marked, cut) & inside
    return Found(mask, threshold, overlap_of(mask, old))


def overlap_of(mask: Mask, old: Mask) -> float:
    """Intersection over union of two masks (H, W); 0 where both are empty."""
    return float(np.count_nonzero(mask & old) / max(1, np.count_nonzero(mask | old)))


def difference_map(before: Picture, after: Picture) -> NDArray[np.float64]:
    """(H, W): what thresholds are compared with, the largest change of a channel, noise of single pixels taken off."""
    change: NDArray[np.float64] = np.abs(smoothed(after) - smoothed(before)).max(axis=2)
    return change


def cleaned(marked: Mask, old: Mask) -> Mask:
    """Without specks beside the old mask; what of that is enclosed by the new one stays, whatever its tone."""
    whole = marked | (binary_fill_holes(marked) & old)
    parts, count = label(whole, structure=EVERY_WAY)
    kept = np.bincount(parts.ravel(), minlength=count + 1) >= LEAST_PIXELS
    kept[np.unique(parts[old & whole])] = True
    kept[0] = False
    cleaned: Mask = kept[parts]
    return cleaned


def _dilated(mask: Mask, reach: int) -> Mask:
    if not reach:
        return mask
    grown: Mask = binary_dilation(mask, EVERY_WAY, iterations=reach)
    return grown


def _around(mask: Mask, margin: int) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(0, rows[0] - margin), rows[-1] + margin + 1),
        slice(max(0, columns[0] - margin), columns[-1] + margin + 1),
    )
