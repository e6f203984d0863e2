"""Colour jitter of a cut piece: brightness, contrast, saturation and hue, each a little, in an order of chance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage.color import hsv2rgb, rgb2hsv

Values = NDArray[np.float64]
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's and torchvision's grey


def jittered(piece: Values, most: float, random: np.random.Generator) -> Values:
    """A piece (h, w[, 3]) of fractions with its colours jittered; factors lie within 1 ± most, the hue within ± most.

    Grey has neither saturation nor hue.
    """
    changes: list[Callable[[Values, float], Values]] = [brightened, contrasted]
    if piece.ndim == 3:
        changes += [saturated, hue_turned]
    for number in random.permutation(len(changes)):
        amount = float(random.uniform(-most, most))
        piece = changes[number](piece, amount if changes[number] is hue_turned else 1.0 + amount)
    return piece


def brightened(piece: Values, factor: float) -> Values:
    return _kept(piece * factor)


def contrasted(piece: Values, factor: float) -> Values:
    return _kept(grey(piece).mean() + factor * (piece - grey(piece).mean()))


def saturated(piece: Values, factor: float) -> Values:
    own = grey(piece)[..., None]
    return _kept(own + factor * (piece - own))


def hue_turned(piece: Values, turn: float) -> Values:
    """turn: of the whole circle of hues."""
    hsv = rgb2hsv(piece)
    hsv[..., 0] = (hsv[..., 0] + turn) % 1.0
    turned: Values = hsv2rgb(hsv)
    return turned


def grey(piece: Values) -> Values:
    """(h, w) luminance."""
    luminance: Values = piece if piece.ndim == 2 else piece @ LUMINANCE
    return luminance


def _kept(piece: Values) -> Values:
    return np.clip(piece, 0.0, 1.0)
