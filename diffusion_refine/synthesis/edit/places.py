"""Pictures at the size that a model sees, and what came of an edit there on the pictures themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion_refine.editing.pixels import Pixels, composited
from diffusion_refine.editing.realism import RealismSettings, share_map
from diffusion_refine.editing.word_swap import as_pictures, as_tensor
from diffusion_refine.prompt_to_prompt.local_blend import picture_mask
from diffusion_refine.synthesis.generator import Mask

Picture = NDArray[np.floating[Any]]


def seen_shape(shape: tuple[int, ...], side: int, step: int) -> tuple[int, int]:
    """Rows and columns of a picture whose longer side is brought to `side`, in whole steps, one at least."""
    scale = side / max(shape[:2])
    rows, columns = (max(step, round(length * scale / step) * step) for length in shape[:2])
    return rows, columns


def resized(picture: Picture, shape: tuple[int, int]) -> NDArray[np.float32]:
    """A picture, or a change (H, W, 3), at another shape: bilinear, without aliases; itself at its own."""
    if picture.shape[:2] == shape:
        return np.asarray(picture, np.float32)
    tensor = torch.nn.functional.interpolate(as_tensor(picture), size=shape, mode="bilinear", antialias=True)
    found: NDArray[np.float32] = as_pictures(tensor)[0]
    return found


def on_picture(place: Mask, shape: tuple[int, int]) -> Mask:
    """A place (h, w) as the same place of the picture (H, W)."""
    return picture_mask(torch.from_numpy(place)[None], shape)[0].numpy()


def edited(pixels: Pixels, change: Picture, place: Mask, band: int) -> Pixels:
    """Pixels with a change (H, W, 3) in a place (H, W), rising over `band` pixels from its rim; grey stays grey.

    Outside the place every pixel keeps its bits.
    """
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        change = np.repeat(change.mean(axis=2, keepdims=True), 3, axis=2)
    return composited(pixels, change, 1.0 - share_map(~place, RealismSettings(background=0.0, band=band)))


def changed(before: Pixels, after: Pixels, place: Mask, threshold: float) -> Mask:
    """Where in a place (H, W) any colour differs by more than `threshold` of white."""
    difference = np.abs(after.astype(np.float64) - before) / np.iinfo(before.dtype).max
    found: Mask = place & ((difference if difference.ndim == 2 else difference.max(axis=2)) > threshold)
    return found
