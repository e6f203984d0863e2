"""The copy-paste generator: real defects, turned and mirrored, blended into bare surface."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation

from diffusion_refine.editing.pixels import Pixels
from diffusion_refine.synthesis.copy_paste.blending import membrane
from diffusion_refine.synthesis.copy_paste.library import MARGIN, DefectLibrary, Piece, turned
from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, Mask, SourceFrame
from diffusion_refine.synthesis.pasting.pastes import (
    Paste,
    Values,
    as_fractions,
    differs,
    drawn_place,
    like,
    pasted_frame,
    room,
)

TRIES = 50  # defects, before a frame has no room


@dataclass(frozen=True)
class CopyPasteSettings:
    """pieces: a frame. turns: whether a defect may be turned by quarters and mirrored. blended: whether its tone is
    carried over to the surface's; else its pixels are as they were."""

    pieces: int = 1
    turns: bool = True
    blended: bool = True


@dataclass(frozen=True)
class CopyPasteGenerator:
    """bits: class name -> bit of the class masks that are made."""

    library: DefectLibrary
    settings: CopyPasteSettings
    bits: dict[str, int]

    def described(self, variant: int) -> dict[str, Any]:
        return {"method": "copy-paste", "settings": asdict(self.settings)}

    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """Defects of the library on the bare surface that the mask says."""
        random = stream.generator()
        free, pastes = mask.copy(), []
        for _ in range(self.settings.pieces):
            tried = (self._paste(frame.image, mask, free, random) for _ in range(TRIES))
            paste = next(filter(None, tried), None)
            if paste is None:
                break
            free[paste.slices] &= ~binary_dilation(paste.mask, np.ones((3, 3)))
            pastes.append(paste)
        return pasted_frame(frame, pastes, self.bits)

    def _paste(self, image: Pixels, bare: Mask, free: Mask, random: np.random.Generator) -> Paste | None:
        """One defect; None where it does not fit."""
        entry = self.library.drawn(random)
        quarters, mirrored = (int(random.integers(4)), bool(random.integers(2))) if self.settings.turns else (0, False)
        piece = turned(self.library.piece(entry), quarters, mirrored)
        rows, columns = (np.flatnonzero(piece.mask.any(axis=axis)) for axis in (1, 0))
        own = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        mask = piece.mask[own]
        place = drawn_place(_kept_at_rim(room(free, mask), piece.at_rim), random)
        if place is None:
            return None
        top, left = place
        pixels = _blended(image, bare, piece, top - rows[0], left - columns[0], self.settings.blended)[own]
        (above, beside) = entry.box[0].start, entry.box[1].start
        record = {"from": [above, beside], "to": [top, left], "quarters": quarters, "mirrored": mirrored}
        paste = Paste(
            top, left, mask, like(pixels, image), entry.class_name,
            record=record, parents=tuple(self.library.parents(entry)),
        )  # fmt: skip
        return paste if differs(paste, image) else None


def _kept_at_rim(where: Mask, at_rim: tuple[bool, bool, bool, bool]) -> Mask:
    """Places of which a defect that its own picture cuts off takes only those where this picture cuts it off again."""
    kept = where.copy()
    top, bottom, left, right = at_rim
    if top:
        kept[1:] = False
    if bottom:
        kept[:-1] = False
    if left:
        kept[:, 1:] = False
    if right:
        kept[:, :-1] = False
    return kept


def _blended(image: Pixels, bare: Mask, piece: Piece, top: int, left: int, blended: bool) -> Values:
    """The fractions of a piece (h, w[, 3]) put at `top`, `left` of a picture, as many channels as the picture has.

    The tone is taken MARGIN − 1 pixels away from the mask, where optics have not yet mixed the defect into it.
    """
    found = as_fractions(piece.pixels)
    if image.ndim == 2 and found.ndim == 3:
        found = found.mean(axis=2)
    elif image.ndim == 3 and found.ndim == 2:
        found = np.repeat(found[..., None], 3, axis=2)
    if not blended:
        return found
    shape = piece.mask.shape
    rows, columns = (np.arange(start, start + length) for start, length in zip((top, left), shape, strict=True))
    within = ((rows >= 0) & (rows < image.shape[0]))[:, None] & ((columns >= 0) & (columns < image.shape[1]))
    around = np.ix_(np.clip(rows, 0, image.shape[0] - 1), np.clip(columns, 0, image.shape[1] - 1))
    region = binary_dilation(piece.mask, np.ones((3, 3)), iterations=MARGIN - 1)
    rim = ~region & within & piece.bare & bare[around]
    surroundings = as_fractions(image[around])
    difference = (surroundings - found).reshape(*shape, -1)
    lost = ~within | ~(piece.bare | piece.mask)
    return found + membrane(region & ~lost | piece.mask, rim, difference).reshape(found.shape)
