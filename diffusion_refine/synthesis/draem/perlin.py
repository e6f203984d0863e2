"""Masks of thresholded Perlin noise, as [Zavrtanik 2021] makes them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.synthesis.generator import Mask

Floats = NDArray[np.float64]
FINEST = 6  # the exponent of 2 below which cells of a side are drawn: 1 to 32 of them


def perlin_mask(shape: tuple[int, int], threshold: float, random: np.random.Generator) -> Mask:
    """(H, W) where noise of 1, 2, 4 … 32 cells a side, turned by up to a right angle, exceeds a threshold."""
    cells = tuple(2 ** int(random.integers(FINEST)) for _ in shape)
    angle = float(random.uniform(-math.pi / 2, math.pi / 2))
    rows, columns = shape
    down = (np.arange(rows)[:, None] + 0.5) / rows - 0.5
    right = (np.arange(columns)[None, :] + 0.5) / columns - 0.5
    # Turned coordinates instead of a turned picture: nothing is resampled and no corner is empty.
    turned = math.cos(angle) * down + math.sin(angle) * right, math.cos(angle) * right - math.sin(angle) * down
    mask: Mask = gradient_noise(turned[0] * cells[0], turned[1] * cells[1], random) > threshold
    return mask


def gradient_noise(rows: Floats, columns: Floats, random: np.random.Generator) -> Floats:
    """Perlin noise at places (H, W) in cells, its gradients unit vectors of random angles, within ±1.

    The two-dimensional noise of [Zavrtanik 2021]; `procgen.surface.noise` is the solid one, with gradients of its own.
    """
    first = int(np.floor(rows.min())), int(np.floor(columns.min()))
    size = int(np.floor(rows.max())) - first[0] + 2, int(np.floor(columns.max())) - first[1] + 2
    angles = random.uniform(0.0, 2 * math.pi, size)
    row, column = np.floor(rows).astype(np.intp) - first[0], np.floor(columns).astype(np.intp) - first[1]
    down, right = rows - np.floor(rows), columns - np.floor(columns)

    def corner(below: int, beside: int) -> Floats:
        angle = angles[row + below, column + beside]
        towards: Floats = np.cos(angle) * (down - below) + np.sin(angle) * (right - beside)
        return towards

    weight, across = faded(down), faded(right)
    upper = corner(0, 0) + across * (corner(0, 1) - corner(0, 0))
    lower = corner(1, 0) + across * (corner(1, 1) - corner(1, 0))
    noise: Floats = math.sqrt(2) * (upper + weight * (lower - upper))
    return noise


def faded(share: Floats) -> Floats:
    """[Perlin 2002]: 6t⁵ − 15t⁴ + 10t³."""
    fade: Floats = share**3 * (share * (6 * share - 15) + 10)
    return fade
