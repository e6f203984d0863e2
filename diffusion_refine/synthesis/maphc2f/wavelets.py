"""Two-level wavelet transforms of pictures (P6), their detail bands, and which coefficients a mask may change.

The transform is PyWavelets', periodic and orthogonal, so that its inverse is also its transpose: gradients go through.
A picture's coefficients lie in an array of its own shape: the coarse ones in the upper left quarter of a quarter, the
detail bands of each level right of, below and diagonal to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pywt
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diffusion_refine.synthesis.maphc2f.options import Wavelet

LEVELS = 2
BANDS = 3 * LEVELS  # of detail: horizontal, vertical and diagonal, of the finest level first
BLOCK = 2**LEVELS  # pixels; pictures' sides are multiples of it
DARKEST = 1e-3  # of full scale
MODE, AXES = "periodization", (-2, -1)

Values = NDArray[np.floating[Any]]
Transform = Callable[[Values, Wavelet], Values]


def reach(wavelet: Wavelet) -> int:
    """Pixels round a mask that the coefficients which see it reach."""
    pixels: int = (BLOCK - 1) * (wavelet.overlap + 1)
    return pixels


def analysed(pixels: Values, wavelet: Wavelet, levels: int = LEVELS) -> Values:
    """Coefficients (…, H, W) of pictures (…, H, W)."""
    coarse, (horizontal, vertical, diagonal) = pywt.dwt2(pixels, wavelet.value, MODE, axes=AXES)
    if levels > 1:
        coarse = analysed(coarse, wavelet, levels - 1)
    upper, lower = np.concatenate([coarse, horizontal], axis=-1), np.concatenate([vertical, diagonal], axis=-1)
    return np.concatenate([upper, lower], axis=-2)


def synthesised(coefficients: Values, wavelet: Wavelet, levels: int = LEVELS) -> Values:
    """Pictures (…, H, W) of coefficients (…, H, W)."""
    rows, columns = (side // 2 for side in coefficients.shape[-2:])
    coarse = coefficients[..., :rows, :columns]
    if levels > 1:
        coarse = synthesised(coarse, wavelet, levels - 1)
    horizontal, vertical = coefficients[..., :rows, columns:], coefficients[..., rows:, :columns]
    details = horizontal, vertical, coefficients[..., rows:, columns:]
    found: Values = pywt.idwt2((coarse, details), wavelet.value, MODE, axes=AXES)
    return found


class _Transform(torch.autograd.Function):
    """One of the two transforms; `back` is the other, its adjoint, which slopes go through."""

    @staticmethod
    def forward(context: Any, values: Tensor, wavelet: Wavelet, there: Transform, back: Transform) -> Tensor:
        context.wavelet, context.back = wavelet, back
        return _through(there, values, wavelet)

    @staticmethod
    def backward(context: Any, *slopes: Tensor) -> tuple[Tensor, None, None, None]:
        return _through(context.back, slopes[0], context.wavelet), None, None, None


def analysis(pixels: Tensor, wavelet: Wavelet) -> Tensor:
    """`analysed` of tensors, with gradients."""
    found: Tensor = _Transform.apply(pixels, wavelet, analysed, synthesised)  # type: ignore[no-untyped-call]
    return found


def synthesis(coefficients: Tensor, wavelet: Wavelet) -> Tensor:
    """`synthesised` of tensors, with gradients."""
    found: Tensor = _Transform.apply(coefficients, wavelet, synthesised, analysed)  # type: ignore[no-untyped-call]
    return found


def bands(coefficients: Tensor) -> Iterator[Tensor]:
    """The six detail bands of coefficients (…, H, W), (…, H/2, W/2) and (…, H/4, W/4), as parts of these."""
    height, width = coefficients.shape[-2:]
    for level in range(1, LEVELS + 1):
        rows, columns = height >> level, width >> level
        yield coefficients[..., :rows, columns : 2 * columns]
        yield coefficients[..., rows : 2 * rows, :columns]
        yield coefficients[..., rows : 2 * rows, columns : 2 * columns]


def dilated(mask: Tensor, pixels: int) -> Tensor:
    """Masks (B, 1, H, W) of bool, larger by so many pixels each way."""
    side = 2 * pixels + 1
    return functional.max_pool2d(mask.float(), side, stride=1, padding=pixels) > 0


def changeable(near: Tensor, wavelet: Wavelet) -> Tensor:
    """Coefficients (B, 1, H, W) of detail that touch no pixel outside `near` (B, 1, H, W), both of bool."""
    found = torch.zeros_like(near)
    parts = list(bands(found))
    for number in range(BANDS):
        level = number // 3 + 1
        kept = ~dilated(~near, wavelet.overlap * (2**level - 1))
        parts[number][:] = functional.max_pool2d((~kept).float(), 2**level) == 0
    return found


def magnitudes(coefficients: Tensor, counted: Tensor) -> Tensor:
    """(B, 6): |band| of coefficients (B, C, H, W), the mean over those that `counted` (B, 1, H, W) says; 0 of none."""
    means = []
    for band, here in zip(bands(coefficients.abs().mean(dim=1, keepdim=True)), bands(counted), strict=True):
        means.append((band * here).sum(dim=(1, 2, 3)) / here.sum(dim=(1, 2, 3)).clamp(min=1))
    return torch.stack(means, dim=1)


def brightness(pixels: Tensor, near: Tensor) -> Tensor:
    """(B, 1): the mean of pictures (B, C, H, W) where `near` (B, 1, H, W) says, which |band| is told over."""
    grey = pixels.mean(dim=1, keepdim=True)
    return ((grey * near).sum(dim=(1, 2, 3)) / near.sum(dim=(1, 2, 3)).clamp(min=1)).clamp(min=DARKEST)[:, None]


def _through(transform: Transform, values: Tensor, wavelet: Wavelet) -> Tensor:
    return torch.from_numpy(transform(values.detach().cpu().numpy(), wavelet)).to(values)
