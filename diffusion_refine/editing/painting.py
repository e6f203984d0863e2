"""Painting another defect into the place of one: the hole that is made for it, and the mask of what came of it.

An in-painting model sees all that is round the hole and nothing that was in it, so that of the old defect nothing is
left, whatever the new one is. Of several candidates that one is taken in which the model itself finds the word again
best. Painted twice from the same noise, with the word and without one, the two pictures differ where the defect is:
that is its mask.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, distance_transform_edt, label
from skimage.draw import disk
from skimage.morphology import convex_hull_image

from diffusion_refine.core.models import Model
from diffusion_refine.editing.label_check import LEAST_SPREAD
from diffusion_refine.editing.likelihood import margin, noise_errors
from diffusion_refine.editing.realism import RealismSettings, realistic, share_map, strength_map, windows_for
from diffusion_refine.editing.relabelling import EVERY_WAY, Found, cleaned, difference_map, overlap_of
from diffusion_refine.editing.windows import padded, padded_shape, round_about
from procgen.errors import BlemishError

Picture = NDArray[np.float64]
Mask = NDArray[np.bool_]

SEEN = 0.5  # share of a window that a model has to see to fill the rest as its surroundings are
HIGH = 0.99  # quantile of the differences in a hole that stands for the defect's contrast


@dataclass(frozen=True)
class PaintSettings:
    """How holes are made and filled.

    steps, guidance_scale: of the denoising. reach: pixels that a hole goes beyond the defect that was there. room: of
    the largest extent of a part of it, the least diameter of its hole, so that what is not as slender finds a place.
    band: pixels beyond a hole over which what was painted fades into the picture. share: of the new defect's contrast,
    beyond which a pixel is of its mask. candidates: paintings of a defect, of which the one counts that looks most like
    its word to the painter. drawn: whether what a recipe can draw is drawn, and the model only heals the hole for it.
    Raises BlemishError for shares that are none, and for no candidates.
    """

    steps: int = 25
    guidance_scale: float = 5.0
    reach: int = 4
    room: float = 0.5
    band: int = 2
    share: float = 0.4
    candidates: int = 1
    drawn: bool = True

    def __post_init__(self) -> None:
        for name, value in {"room": self.room, "share": self.share}.items():
            if not 0.0 < value < 1.0:
                raise BlemishError(f"painting: {name}: found {value}; expected a share between 0 and 1")
        if self.candidates < 1:
            raise BlemishError(f"painting: candidates: found {self.candidates}; expected 1 or more")

    def written(self) -> dict[str, Any]:
        """All of it, as JSON; nothing of drawing without it, so that datasets begun before there was any can go on."""
        return {name: value for name, value in asdict(self).items() if name != "drawn" or value}

    @property
    def realism(self) -> RealismSettings:
        """Of a picture that is all noise in the hole."""
        return RealismSettings(1.0, 0.0, self.band, self.steps, self.guidance_scale, alpha=0.0, visible=0.0)


def hole_of(mask: Mask, settings: PaintSettings = PaintSettings()) -> Mask:
    """Where a model may paint for the defect that a mask (H, W) marks: hulls of what is near each other, and round."""
    hole = np.zeros_like(mask)
    if mask.any():
        grown_by = math.ceil(settings.reach)
        longest = max(span.stop - span.start for span in round_about(mask, grown_by))
        span = round_about(mask, grown_by + math.ceil(settings.room * longest / 2) + 1)  # no disk reaches farther
        hole[span] = _hole_of(mask[span], settings)
    return hole


def _hole_of(mask: Mask, settings: PaintSettings) -> Mask:
    hole = np.zeros_like(mask)
    parts, count = label(grown(mask, settings.reach), structure=EVERY_WAY)
    for number in range(1, count + 1):
        part = convex_hull_image(parts == number)
        rows, columns = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
        extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
        hole |= part
        hole[disk(tuple(np.argwhere(part).mean(axis=0)), settings.room * extent / 2, shape=mask.shape)] = True
    return hole


def unseen_share(hole: Mask, model: Model, settings: PaintSettings = PaintSettings()) -> float:
    """The largest share of a window over a hole (H, W) that a model which paints does not see."""
    whole = padded(hole, padded_shape(hole.shape, model.size, model.factor))
    windows = windows_for(hole, settings.realism, model)
    return max((float(whole[window.slices].mean()) for window in windows), default=0.0)


def grown(mask: Mask, pixels: float) -> Mask:
    """All that is no farther than so many pixels from a mask (H, W)."""
    if not mask.any():
        return mask
    near: Mask = distance_transform_edt(~mask) <= pixels
    return near


@dataclass(frozen=True, eq=False)
class Painted:
    """What to add to a picture for a defect to be in its hole, and for none to be: (H, W, 3) each."""

    defect: Picture
    nothing: Picture


def filled(model: Model, picture: Picture, hole: Mask, prompt: str, settings: PaintSettings, seed: int) -> Picture:
    """What to add to a picture (H, W, 3) in [0, 1] for its hole (H, W) to be filled as a prompt says: (H, W, 3).

    model: one that `paints`. The same seed gives the same picture.
    """
    how = settings.realism
    windows, generator = windows_for(hole, how, model), torch.Generator().manual_seed(seed)
    strength, share = strength_map(hole, replace(how, band=0)), share_map(hole, how)[..., None]
    return share * realistic(model, picture, strength, windows, [prompt] * len(windows), how, generator)


def painted(
    model: Model,
    picture: Picture,
    hole: Mask,
    prompts: tuple[str, str],
    settings: PaintSettings,
    seed: int,
    rivals: Sequence[str] = (),
) -> Painted:
    """A picture (H, W, 3) in [0, 1] with its hole (H, W) filled as each of two prompts says, from the same noise.

    prompts: with a defect, and without one. model: one that `paints`. rivals: prompts of what else might be there; of
    the candidates the one is taken that the model takes for the first prompt's by the widest margin over all of these;
    without any there is one. The same seed gives the same pictures.
    """
    how = settings.realism
    windows = windows_for(hole, how, model)

    def clearness(made: Picture) -> float:
        shown, noise = np.clip(picture + made, 0, 1), torch.Generator().manual_seed(seed)
        return margin(noise_errors(model, shown, hole, windows, [prompts[0], *rivals], how.steps, noise))

    more = np.random.default_rng(seed).integers(2**63 - 1, size=settings.candidates - 1).tolist() if rivals else []
    seeds = [seed, *more]
    found = [filled(model, picture, hole, prompts[0], settings, each) for each in seeds]
    best = int(np.argmax([clearness(made) for made in found])) if more else 0
    return Painted(found[best], filled(model, picture, hole, prompts[1], settings, seeds[best]))


def mask_of(picture: Picture, made: Painted, hole: Mask, old: Mask, share: float) -> Found:
    """The mask of what was painted into a hole (H, W) of a picture (H, W, 3), nothing where it cannot be told.

    share: of the new defect's contrast beyond which a pixel is of it. old: the mask that was there. Specks that are
    much fainter than the rest, or of a few pixels alone, are none of it.
    """
    if not hole.any():
        return Found(hole, 0.0, 0.0)
    change = difference_map(np.clip(picture + made.nothing, 0, 1), np.clip(picture + made.defect, 0, 1))
    contrast = float(np.quantile(change[hole], HIGH))
    threshold = max(share * contrast, 2 * LEAST_SPREAD)
    mask = cleaned(binary_fill_holes(hole & (change > threshold)), np.zeros_like(hole))
    return Found(mask, threshold, overlap_of(mask, old))
