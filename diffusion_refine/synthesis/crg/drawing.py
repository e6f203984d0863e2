"""Defects drawn into boxes of a picture of any size, all boxes of a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.transform import resize

from diffusion_refine.editing.pixels import Pixels, colour, composited
from diffusion_refine.editing.realism import as_batch
from diffusion_refine.synthesis.crg.attention import Focus
from diffusion_refine.synthesis.crg.boxes import Box, Square, around, cut, zoom_of
from diffusion_refine.synthesis.crg.model import CrgModel
from diffusion_refine.synthesis.crg.networks import Context, Prior
from diffusion_refine.synthesis.crg.sampling import Calls, CrgSettings, draw
from diffusion_refine.synthesis.generator import Mask

BATCH = 8  # boxes at once
SHOWN = 0.5  # of the attention, from which on a pixel is of the defect
SOLID, FADING = 1.0, 3.0  # pixels round the defect that are taken whole, and over which the rest of the change fades
LEAST_SIDE = 6.0  # pixels of the model's that a box is taken for at least: a smaller one says next to nothing

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class View:
    """What the models see of a box. context: a square of the picture; corner: of the window in it, in their pixels.

    centre, half: of the box in the window, which runs from -1 to 1; rows and columns.
    """

    box: Box
    context: Square
    corner: tuple[int, int]
    centre: tuple[float, float]
    half: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Change:
    """What was drawn for a box, in `part` of its picture, rows and columns.

    pixels: (h, w[, 3]) of the picture's type; mask: (h, w) the defect's; changed: (h, w).
    """

    box: Box
    part: tuple[slice, slice]
    pixels: Pixels
    mask: Mask
    changed: Mask
    window: Square


def view_of(box: Box, shape: Sequence[int], size: int, window: int) -> View:
    """Squares of `size` and `window` pixels of the models' round a box; the latter lies in the former."""
    zoom = zoom_of(box, window)
    context = around(box, round(size * zoom), shape)
    zoom = context.side / size
    middle = (box.row - context.top) / zoom, (box.column - context.left) / zoom
    inner = around(Box("", *middle, 0, 0), window, (size, size))
    ends = window - 1
    centre = tuple(
        2 * (place - corner - 0.5) / ends - 1 for place, corner in zip(middle, (inner.top, inner.left), strict=True)
    )
    half = tuple(max(side / zoom, LEAST_SIDE) / ends for side in (box.height, box.width))
    return View(box, context, (inner.top, inner.left), (centre[0], centre[1]), (half[0], half[1]))


def drawn(
    model: CrgModel,
    pixels: Pixels,
    boxes: Sequence[Box],
    settings: CrgSettings,
    random: np.random.Generator,
    whole: bool = False,
) -> tuple[list[Change], Calls]:
    """What each box becomes on pixels (H, W[, 3]), each as if it were the only one; and how often networks were asked.

    whole: whether all of a context is taken over, as the published code does, and not what lies round the defect alone.
    Pixels that are not `changed` are those of the picture, bit for bit.
    """
    views = [view_of(box, pixels.shape, model.size, model.window) for box in boxes]
    rng = torch.Generator().manual_seed(int(random.integers(2**63)))
    changes: list[Change] = []
    contexts = priors = 0
    for start in range(0, len(views), BATCH):
        batch = views[start : start + BATCH]
        seen = [_resized(colour(cut(pixels, view.context)), model.size) for view in batch]
        good = as_batch(seen).to(model.device) * 2 - 1
        corners = torch.tensor([view.corner for view in batch])
        labels = torch.tensor([model.labels.index(view.box.class_name) for view in batch], device=model.device)
        focus = Focus(*(torch.tensor(values, device=model.device) for values in zip(*map(_focus, batch), strict=True)))
        found = draw(
            Context(model.context), Prior(model.prior), good, corners, labels, focus, model.window, settings, rng
        )
        contexts, priors = contexts + found.calls.context, priors + found.calls.prior
        pictures = found.pictures
        if not settings.guidance.steps:  # nothing brought the prior's defect into the context: it is put there
            pictures = pictures.clone()
            for number, (top, left) in enumerate(corners.tolist()):
                pictures[number, :, top : top + model.window, left : left + model.window] = found.patches[number]
        differences = ((pictures - good) / 2).permute(0, 2, 3, 1).double().cpu().numpy()
        maps = found.attention[:, 0].double().cpu().numpy()
        for view, difference, attention in zip(batch, differences, maps, strict=True):
            changes.append(_change(pixels, view, difference, attention, whole))
    return changes, Calls(contexts, priors)


def _focus(view: View) -> tuple[tuple[float, float], tuple[float, float]]:
    return view.centre, view.half


def _change(pixels: Pixels, view: View, difference: Floats, attention: Floats, whole: bool) -> Change:
    """Of a difference (S, S, 3) of a context and the attention (s, s) in its window, at the picture's own size."""
    side, (top, left) = view.context.side, view.corner
    zoom = side / len(difference)
    inner = np.zeros(difference.shape[:2])
    inner[top : top + len(attention), left : left + len(attention)] = attention
    mask = _resized(inner, side) > SHOWN
    share = np.ones(mask.shape)
    if not whole:
        away = distance_transform_edt(~mask) if mask.any() else np.full(mask.shape, np.inf)
        share = np.clip(1.0 - (away - SOLID * zoom) / (FADING * zoom), 0.0, 1.0)
    part = slice(view.context.top, view.context.top + side), slice(view.context.left, view.context.left + side)
    before = pixels[part]
    inside = slice(before.shape[0]), slice(before.shape[1])  # what is mirrored lies beyond
    changed = composited(before, _resized(difference, side)[inside], share[inside])
    window = Square(
        view.context.top + round(top * zoom), view.context.left + round(left * zoom), round(len(attention) * zoom)
    )
    return Change(view.box, part, changed, mask[inside], share[inside] > 0, window)


def _resized(values: Floats, side: int) -> Floats:
    """(side, side, …) of values (S, S, …), smoothed where it becomes smaller."""
    if len(values) == side:
        return values
    found: Floats = resize(
        values, (side, side, *values.shape[2:]), order=1, mode="edge", anti_aliasing=side < len(values)
    )
    return found
