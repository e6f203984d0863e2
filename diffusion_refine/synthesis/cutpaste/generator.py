"""The CutPaste generator: rectangles or scars of a picture, their colours jittered, pasted elsewhere on it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from diffusion_refine.editing.pixels import Pixels
from diffusion_refine.synthesis.cutpaste.jitter import jittered
from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, Mask, SourceFrame
from diffusion_refine.synthesis.pasting.pastes import (
    Paste,
    as_fractions,
    differs,
    drawn_place,
    like,
    pasted_frame,
    room,
)

PATCH, SCAR, UNION = "patch", "scar", "union"
TRIES = 20  # other sizes, before a frame has no room


@dataclass(frozen=True)
class CutPasteSettings:
    """What is cut; the defaults are those of [Li 2021].

    kind: "patch", "scar", or "union" for either, as likely. area: of a patch, shares of the picture. longest: its
    longer side over its shorter one, at most. scar_width, scar_length: pixels. turn: of a scar to either side, degrees.
    jitter: of its colours. pieces: a frame.
    """

    kind: str = PATCH
    area: tuple[float, float] = (0.02, 0.15)
    longest: float = 1 / 0.3
    scar_width: tuple[int, int] = (2, 16)
    scar_length: tuple[int, int] = (10, 25)
    turn: float = 45.0
    jitter: float = 0.1
    pieces: int = 1
    class_name: str = "cutpaste"


@dataclass(frozen=True)
class CutPasteGenerator:
    """bits: class name -> bit of the class masks that are made."""

    settings: CutPasteSettings
    bits: dict[str, int]

    def described(self, variant: int) -> dict[str, Any]:
        return {"method": "cutpaste", "settings": asdict(self.settings)}

    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """Pieces cut from the mask and pasted into it."""
        random = stream.generator()
        free, pastes = mask.copy(), []
        for _ in range(self.settings.pieces):
            paste = next(filter(None, (self._piece(frame.image, mask, free, random) for _ in range(TRIES))), None)
            if paste is None:
                break
            free[paste.slices] &= ~paste.mask
            pastes.append(paste)
        return pasted_frame(frame, pastes, self.bits)

    def _piece(self, image: Pixels, bare: Mask, free: Mask, random: np.random.Generator) -> Paste | None:
        """One piece; None where it finds no room to be cut from or pasted to, or changes nothing."""
        settings = self.settings
        scar = settings.kind == SCAR or (settings.kind == UNION and bool(random.random() < 0.5))
        if scar:
            width, length = (
                int(random.integers(low, high, endpoint=True))
                for low, high in (settings.scar_width, settings.scar_length)
            )
            angle = math.radians(random.uniform(-settings.turn, settings.turn))
        else:
            length, width = patch_sides((image.shape[0], image.shape[1]), settings.area, settings.longest, random)
            angle = 0.0
        shape, along, across = turned_rectangle(length, width, angle)
        source = drawn_place(room(bare, np.ones((length, width), bool)), random)
        target = drawn_place(room(free, shape), random)
        if source is None or target is None:
            return None
        (row, column), (top, left) = source, target
        cut = as_fractions(image[row : row + length, column : column + width])
        piece = turned(jittered(cut, settings.jitter, random), along, across)
        record = {"kind": SCAR if scar else PATCH, "from": [row, column], "to": [top, left]}
        paste = Paste(top, left, shape, like(piece, image), settings.class_name, record=record)
        return paste if differs(paste, image) else None


def patch_sides(
    shape: tuple[int, int], area: tuple[float, float], longest: float, random: np.random.Generator
) -> tuple[int, int]:
    """Height and width of a patch: a share of the picture's area, and one side up to `longest` times the other."""
    pixels = random.uniform(*area) * shape[0] * shape[1]
    # As [Li 2021] draws it: one of two intervals, so that upright and lying patches are as likely.
    ratio = random.uniform(1.0, longest) if random.random() < 0.5 else random.uniform(1.0 / longest, 1.0)
    sides = math.sqrt(pixels / ratio), math.sqrt(pixels * ratio)
    height, width = (min(max(round(side), 1), whole) for side, whole in zip(sides, shape, strict=True))
    return height, width


def turned_rectangle(length: int, width: int, angle: float) -> tuple[Mask, NDArray[np.float64], NDArray[np.float64]]:
    """A rectangle turned about its centre: its mask, and where every pixel of that lies in the unturned one.

    Where: its row and its column there, which are no whole numbers. length: of its columns, width: of its rows, pixels.
    angle: radians.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    rows = math.ceil(length * abs(cosine) + width * abs(sine) - 1e-9)
    columns = math.ceil(length * abs(sine) + width * abs(cosine) - 1e-9)
    down = np.arange(rows)[:, None] - (rows - 1) / 2
    right = np.arange(columns)[None, :] - (columns - 1) / 2
    along, across = cosine * down + sine * right, cosine * right - sine * down
    inside = (np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)
    return inside, along + (length - 1) / 2, across + (width - 1) / 2


def turned(piece: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """A piece (h, w[, C]) at other rows and columns, each (r, c), between its pixels linear."""
    layers = [piece] if piece.ndim == 2 else np.moveaxis(piece, 2, 0)
    moved = [map_coordinates(layer, (rows, columns), order=1, mode="nearest") for layer in layers]
    return moved[0] if piece.ndim == 2 else np.stack(moved, axis=2)
