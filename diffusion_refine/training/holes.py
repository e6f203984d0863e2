"""Holes over the defects of crops, and what is left round them: what an in-painting model is trained with.

A hole must not tell what shape the defect in it has: it follows the defect's outline more or less widely, or is a hull,
an ellipse or a box round each part of it, out of the middle and with room to spare. Where there is no defect, it lies
anywhere; so a model learns to paint nothing as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import label
from skimage.morphology import convex_hull_image
from torch import Tensor, nn

from diffusion_refine.core.models import painter_channels
from diffusion_refine.editing.painting import grown
from diffusion_refine.editing.realism import beside_hole
from diffusion_refine.training.autoencoder import encoded
from diffusion_refine.training.crops import Crops

Mask = NDArray[np.bool_]

GREY = 128  # that a hole is filled with; as near to the middle as 8 bits come
OUTLINE, HULL, ELLIPSE = 0.35, 0.6, 0.8  # cumulative shares of the kinds of holes; the rest are boxes
NEAR, FAR = 2.0, 10.0  # pixels that a hole goes beyond a defect's outline
SPREAD, MARGIN = 0.6, (2.0, 14.0)  # of ellipses and boxes, beyond the extent: a share of it, and pixels
ELSEWHERE = (4.0, 30.0)  # half axes in pixels of holes where there is no defect
ROUND = 1.25  # axes of an ellipse over the sides of the box that it is round, which has corners


def hole_over(defects: NDArray[np.integer[Any]], rng: np.random.Generator) -> Mask:
    """(H, W): a hole that no pixel of the defects (H, W), not 0, is outside of; somewhere where there are none."""
    if not defects.any():
        return _somewhere(defects.shape, rng)
    kind = rng.random()
    if kind < OUTLINE:
        return grown(defects > 0, rng.uniform(NEAR, FAR))
    hole = np.zeros(defects.shape, dtype=bool)
    parts, count = label(grown(defects > 0, rng.uniform(NEAR, FAR)))
    for number in range(1, count + 1):
        part = parts == number
        hole |= part
        if kind < HULL:
            hole |= grown(convex_hull_image(part), rng.uniform(0, NEAR))
            continue
        spans = [np.flatnonzero(part.any(axis=axis)) for axis in (1, 0)]
        half = np.array([(span[-1] - span[0] + 1) / 2 for span in spans])
        more = rng.uniform(0, SPREAD, 2) * half + rng.uniform(*MARGIN, 2)
        middle = np.array([(span[0] + span[-1]) / 2 for span in spans]) + rng.uniform(-0.5, 0.5, 2) * more
        away = [np.abs(places - centre) for places, centre in zip(np.indices(part.shape), middle, strict=True)]
        sides = half + more
        if kind < ELLIPSE:
            hole |= (away[0] / sides[0]) ** 2 + (away[1] / sides[1]) ** 2 <= ROUND**2
        else:
            hole |= (away[0] <= sides[0]) & (away[1] <= sides[1])
    return hole


def _somewhere(shape: tuple[int, ...], rng: np.random.Generator) -> Mask:
    """One or two ellipses at random."""
    hole = np.zeros(shape, dtype=bool)
    rows, columns = np.indices(shape)
    for _ in range(int(rng.integers(1, 3))):
        row, column = rng.uniform(0.1, 0.9, 2) * shape
        axes, turn = rng.uniform(*ELSEWHERE, 2), rng.uniform(0, np.pi)
        along = (columns - column) * np.cos(turn) + (rows - row) * np.sin(turn)
        across = (rows - row) * np.cos(turn) - (columns - column) * np.sin(turn)
        hole |= (along / axes[0]) ** 2 + (across / axes[1]) ** 2 < 1
    return hole


def holes_over(masks: Tensor, seed: int) -> Tensor:
    """(N, H, W) bool: a hole over each of the masks (N, H, W); each by a generator of its own."""
    drawn = [hole_over(mask.numpy(), np.random.default_rng([seed, number, 2])) for number, mask in enumerate(masks)]
    return torch.from_numpy(np.stack(drawn))


def surroundings_of(pipeline: Any, crops: Crops, holes: Tensor) -> Tensor:
    """(N, 1 + C, h, w), half precision: what a UNet that paints is given of crops; `editing.realism.surroundings`."""
    images = torch.where(holes[:, None], torch.full((), GREY, dtype=torch.uint8), crops.images)
    with torch.no_grad():
        latents = encoded(pipeline.vae, images, batch=8)
    return beside_hole(holes, latents).half()


def widen(unet: Any, latent_channels: int) -> None:
    """Let a text-to-image UNet see a hole and what is round it; at first it takes no notice. One that does stays."""
    wanted, first = painter_channels(latent_channels), unet.conv_in
    if first.in_channels == wanted:
        return
    wider = nn.Conv2d(wanted, first.out_channels, first.kernel_size, first.stride, first.padding)
    wider.to(first.weight)
    with torch.no_grad():
        wider.weight.zero_()
        wider.weight[:, : first.in_channels] = first.weight
        wider.load_state_dict({"weight": wider.weight, "bias": first.bias})
    unet.conv_in = wider
    unet.register_to_config(in_channels=wanted)
