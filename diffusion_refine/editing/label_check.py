"""Whether a defect still stands where its mask says, by contrast and edges before and after an edit.

Nothing is learnt here. A defect shows by how far the pixels in its mask lie from those of a ring around it, in units
of the ring's own spread, and by how much steeper its pixels are. Afterwards it must keep a share of that (`visible`),
it must fit its mask better than any shifted one, as before (`in_place`), it must not spread over the mask's border
(`spill`), and the ring must not show a thing of its own that was not there (`stray`). All of it is relative: a defect
that was hard to see may be as hard to see afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter
from scipy.signal import fftconvolve

from diffusion_refine.editing.windows import round_about
from diffusion_refine.metrics.difference import edges, luminance

Picture = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

RING = 12  # pixels beyond the mask that count as its surroundings
BORDER = 4  # pixels beyond the mask over which a defect may have spread
HIGHEST = 6.0  # spreads of the ring; a few pixels far above decide nothing
GUARD = 2  # pixels next to the mask that count as neither: optics and resampling blur the border
LEAST_PIXELS, LEAST_RING = 6, 40  # fewer say nothing
LEAST_SPREAD = 1.5 / 255.0  # of a ring; rounding of 8 bits alone makes .3 / 255
LOST = "its mask was not found again"
BARELY = 0.5  # visibility below which nothing was to be seen before either
STANDS_OUT = 1.2  # visibility from which on a defect can be told from its surroundings by whoever sees it alone
SMOOTHING = 0.7  # pixels; noise of single pixels is no defect
STRAY_SIGMA = 1.5  # pixels; the least thing that counts as one


@dataclass(frozen=True)
class Limits:
    """What an edit must keep.

    visible: share of the visibility before. in_place: share of the fit before. stray: how far something new beside the
    mask may stand out, as a share of how far the defect itself does. spill: likewise, on average over the pixels next
    to the mask. swap: how far a defect that has become another must differ from what it was, over how far it stood out.
    """

    visible: float = 0.5
    in_place: float = 0.7
    stray: float = 0.8
    spill: float = 0.4
    swap: float = 0.5

    def __str__(self) -> str:
        return (
            f"visible >= {self.visible:g}, in place >= {self.in_place:g}, stray <= {self.stray:g}, "
            f"spill <= {self.spill:g}, swap >= {self.swap:g}"
        )

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not value >= 0.0:
                raise ValueError(f"{name}: found {value}; expected 0 or more")


@dataclass(frozen=True)
class Verdict:
    """What was found of one defect. visible and so on: as in Limits; None where too little of it is seen.

    Of one that was painted visible is in spreads of its surroundings, as there is nothing to compare it with.
    """

    instance: int
    accepted: bool
    visible: float | None = None
    in_place: float | None = None
    stray: float | None = None
    spill: float | None = None
    reason: str = ""


def check(
    before: Picture,
    after: Picture,
    ids: NDArray[np.integer[Any]],
    limits: Limits = Limits(),
    moved: NDArray[np.integer[Any]] | None = None,
) -> tuple[Verdict, ...]:
    """A verdict on every instance of ids (H, W), 0 where there is none, of two pictures (H, W[, 3]) in [0, 1].

    moved: ids in the second picture, where masks have been found again; an instance that is gone there is refused.
    """
    first, second = (smoothed(picture) for picture in (before, after))
    every = ids > 0
    now = ids if moved is None else moved
    return tuple(
        _judged(int(number), first, second, (ids == number, now == number), (every, now > 0), limits)
        for number in np.unique(ids[every])
    )


def check_painted(
    plain: Picture,
    after: Picture,
    ids: NDArray[np.integer[Any]],
    instance: int,
    hole: Mask,
    limits: Limits = Limits(),
) -> Verdict:
    """A verdict on a defect of ids (H, W), 0 where there is none, painted into a hole (H, W) of a picture (H, W[, 3]).

    plain: the same picture in [0, 1] with nothing painted there, whose surface must not stand out itself. The defect
    must; what deviates must be collected by its mask better than by a shifted one; and beside it both pictures must be
    the same.
    """
    if np.count_nonzero(ids == instance) < LEAST_PIXELS:
        return Verdict(instance, False, reason=LOST)
    patch = standing_out(plain, hole, (ids > 0) | hole)
    if patch is not None and patch >= STANDS_OUT:
        return Verdict(instance, False, reason=f"surface {patch:.2f} spreads, not below {STANDS_OUT:g}")
    span = neighbourhood(ids == instance)
    first, second = smoothed(plain[span]), smoothed(after[span])
    inside, every = ids[span] == instance, ids[span] > 0
    ring = ring_of(inside, every)
    if np.count_nonzero(ring) < LEAST_RING:
        return Verdict(instance, True, reason="too crowded to judge")
    visible = visibility(second, inside, ring, is_steeper(second, inside, ring))
    in_place = fit(second, inside, ring, every)
    change = np.abs(luminance(second) - luminance(first))
    own = max(float(np.quantile(change[inside], 0.9)), LEAST_SPREAD)
    away = distance_transform_edt(~inside)
    border = (away > 1.0) & (away <= BORDER) & ~(every & ~inside)
    stray = float(np.quantile(gaussian_filter(change, STRAY_SIGMA)[ring], 0.995)) / own
    spill = float(change[border].mean()) / max(float(change[inside].mean()), LEAST_SPREAD) if border.any() else 0.0
    reasons = _reasons(
        (
            ("visible", visible, "spreads, below", STANDS_OUT, visible < STANDS_OUT),
            ("in place", in_place, "below", limits.in_place, in_place < limits.in_place),
            ("stray", stray, "above", limits.stray, stray > limits.stray),
            ("spill", spill, "above", limits.spill, spill > limits.spill),
        )
    )
    return Verdict(instance, not reasons, visible, in_place, stray, spill, reasons)


def standing_out(picture: Picture, mask: Mask, every: Mask) -> float | None:
    """The visibility of what mask (H, W) marks of a picture (H, W[, 3]) in [0, 1]; None where too little surrounds it.

    every: (H, W) of all defects, which are no surroundings.
    """
    span = neighbourhood(mask)
    seen, inside = smoothed(picture[span]), mask[span]
    ring = ring_of(inside, every[span])
    if np.count_nonzero(ring) < LEAST_RING:
        return None
    return visibility(seen, inside, ring, is_steeper(seen, inside, ring))


def _reasons(found: Iterable[tuple[str, float | None, str, float, bool]]) -> str:
    """What is to be told of figures, each with a name, a word and its limit, of those that failed."""
    return ", ".join(f"{name} {value:.2f} {word} {limit:g}" for name, value, word, limit, failed in found if failed)


def smoothed(picture: Picture) -> NDArray[np.float64]:
    """(H, W, C) with noise of single pixels taken off."""
    array = np.asarray(picture, np.float64)
    array = array if array.ndim == 3 else array[..., None]
    smooth: NDArray[np.float64] = gaussian_filter(array, (SMOOTHING, SMOOTHING, 0.0))
    return smooth


def _judged(
    number: int,
    before: NDArray[Any],
    after: NDArray[Any],
    masks: tuple[Mask, Mask],
    every: tuple[Mask, Mask],
    limits: Limits,
) -> Verdict:
    """masks, every: of the instance and of all, in the first picture and in the second."""
    span = neighbourhood(masks[0] | masks[1])
    before, after = before[span], after[span]
    old, mask, all_old, all_now = (each[span] for each in (*masks, *every))
    if not mask.any():
        return Verdict(number, False, reason=LOST)
    old_ring, ring = ring_of(old, all_old), ring_of(mask, all_now) & ~old
    pixels, surroundings = (min(map(np.count_nonzero, pair)) for pair in ((old, mask), (old_ring, ring)))
    if pixels < LEAST_PIXELS or surroundings < LEAST_RING:
        return Verdict(number, True, reason="too small or too crowded to judge")
    steeper = is_steeper(before, old, old_ring)
    was, now = visibility(before, old, old_ring, steeper), visibility(after, mask, ring, steeper)
    if was < BARELY:
        visible, in_place = None, None
    else:
        visible = now / was
        in_place = fit(after, mask, ring, all_now) / max(fit(before, old, old_ring, all_old), 1e-6)
    stray, spill = strays(before, after, mask, ring), spilt(before, after, mask, ring, all_now)
    reasons = _reasons(
        (
            ("visible", visible, "below", limits.visible, visible is not None and visible < limits.visible),
            ("in place", in_place, "below", limits.in_place, in_place is not None and in_place < limits.in_place),
            ("stray", stray, "above", limits.stray, stray > limits.stray),
            ("spill", spill, "above", limits.spill, spill > limits.spill),
        )
    )
    return Verdict(number, not reasons, visible, in_place, stray, spill, reasons)


def neighbourhood(mask: Mask) -> tuple[slice, slice]:
    """All that is looked at of a defect's mask (H, W)."""
    return round_about(mask, GUARD + 2 * RING)


def ring_of(mask: Mask, every: Mask) -> Mask:
    """(H, W): the surroundings of a mask, free of other defects unless it lies wholly within one."""
    away: NDArray[np.float64] = distance_transform_edt(~mask)
    shell = (away > GUARD) & (away <= GUARD + RING)
    free = shell & ~binary_dilation(every, iterations=GUARD)
    return free if np.count_nonzero(free) >= LEAST_RING else shell


def is_steeper(picture: NDArray[Any], mask: Mask, ring: Mask) -> bool:
    """Whether a picture (H, W, C) is steeper in mask (H, W) than in the ring."""
    steepness = edges(luminance(picture))
    return bool(steepness[mask].mean() >= steepness[ring].mean())


def visibility(picture: NDArray[Any], mask: Mask, ring: Mask, steeper: bool = True) -> float:
    """How far the pixels of mask (H, W) lie from those of the ring, in spreads of the ring; 0 where they are alike.

    The Wasserstein distance of the two distributions of each channel sees darker, brighter and mixed defects alike;
    that of the steepness, those that differ by their relief only; there it counts on one side, for what was filled
    with something smooth is no relief. The larger counts. picture (H, W, C); steeper: than the ring, or less steep.
    """
    tones = max(float(np.abs(_apart(layer[mask], layer[ring])).mean()) for layer in np.moveaxis(picture, 2, 0))
    steepness = edges(luminance(picture))
    gain = _apart(steepness[mask], steepness[ring]) * (1 if steeper else -1)
    return max(tones, float(np.maximum(gain, 0.0).mean()))


def _apart(inside: NDArray[Any], outside: NDArray[Any]) -> NDArray[np.float64]:
    """(256,) by how much the quantiles of two samples differ, in spreads of the second."""
    shares = (np.arange(256) + 0.5) / 256
    low, high = np.quantile(outside, [0.16, 0.84])
    difference: NDArray[np.float64] = np.quantile(inside, shares) - np.quantile(outside, shares)
    apart: NDArray[np.float64] = difference / max((high - low) / 2, LEAST_SPREAD)
    return apart


def deviation(picture: NDArray[Any], mask: Mask, ring: Mask) -> NDArray[np.float64]:
    """(H, W): how far each pixel lies from the ring's median in spreads of it, the largest over channels and edges."""
    fields = []
    for layer in [*np.moveaxis(picture, 2, 0), edges(luminance(picture))]:
        low, middle, high = np.quantile(layer[ring], [0.16, 0.5, 0.84])
        fields.append(np.abs(layer - middle) / max((high - low) / 2, LEAST_SPREAD))
    largest: NDArray[np.float64] = np.max(fields, axis=0)
    return largest


def fit(picture: NDArray[Any], mask: Mask, ring: Mask, every: Mask) -> float:
    """How much better the mask collects what deviates where it stands than shifted: at most 1, the best of all shifts.

    Shifts by up to RING pixels; other defects are left out of what is collected.
    """
    field = np.minimum(deviation(picture, mask, ring), HIGHEST)
    field = field - np.median(field[ring])
    field[every & ~mask] = 0.0
    reach = RING
    scores = fftconvolve(np.pad(field, reach), mask[::-1, ::-1].astype(float), mode="valid")
    best = float(scores.max())
    here = float(scores[reach, reach])
    return max(0.0, here / best) if best > 0.0 else 0.0


def swapped(
    before: Picture, after: Picture, ids: NDArray[np.integer[Any]], verdict: Verdict, limits: Limits = Limits()
) -> Verdict:
    """The verdict on a defect that should have become another: refused as well where it is still what it was.

    Only that it differs is seen here, not what it has become.
    """
    mask, every = ids == verdict.instance, ids > 0
    span = neighbourhood(mask)
    first, second, mask, every = luminance(before)[span], luminance(after)[span], mask[span], every[span]
    ring = ring_of(mask, every)
    usual = float(np.median(first[ring])) if ring.any() else float(first[mask].mean())
    own = max(float(np.abs(first[mask] - usual).mean()), LEAST_SPREAD)
    found = float(np.abs(second - first)[mask].mean()) / own
    if found >= limits.swap:
        return verdict
    reason = ", ".join(filter(None, [verdict.reason, f"swap {found:.2f} below {limits.swap:g}"]))
    return replace(verdict, accepted=False, reason=reason)


def spilt(before: NDArray[Any], after: NDArray[Any], mask: Mask, ring: Mask, every: Mask) -> float:
    """By how much more than before the pixels next to the mask deviate, over how far those inside it do, on average."""
    away = distance_transform_edt(~mask)
    border = (away > 1.0) & (away <= BORDER) & ~(every & ~mask)
    if not border.any():
        return 0.0
    fields = [np.minimum(deviation(picture, mask, ring), HIGHEST) for picture in (before, after)]
    gain = float((fields[1] - fields[0])[border].mean())
    return max(0.0, gain) / max(float(fields[1][mask].mean()), 1.0)


def strays(before: NDArray[Any], after: NDArray[Any], mask: Mask, ring: Mask) -> float:
    """How far the most conspicuous new thing in the ring stands out, over how far the defect does.

    New is what the smoothed change of a pixel is, beyond the ring's overall change of tone.
    """
    change = gaussian_filter(luminance(after) - luminance(before), STRAY_SIGMA)
    outside = change[ring] - np.median(change[ring])
    new = float(np.quantile(np.abs(outside), 0.995))
    grey = gaussian_filter(luminance(before), STRAY_SIGMA)
    own = float(np.quantile(np.abs(grey[mask] - np.median(grey[ring])), 0.9))
    own = max(own, float(np.quantile(np.abs(grey[ring] - np.median(grey[ring])), 0.9)), LEAST_SPREAD)
    return new / own
