"""Sheets to look at: pictures by words, and what every word of a prompt attends to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.editing.word_swap import Edited, Picture
from diffusion_refine.metrics.difference import eight_bits, fitted, outlined
from diffusion_refine.prompts.vocabulary import defects_in

SIDE = 160  # pixels of a picture's height
GAP, TITLE = 6, 20
PAPER, INK, FAINT = (24, 24, 24), (235, 235, 235), (165, 165, 165)
HEAT = "inferno"
VEIL = 0.6  # share of the heat over the picture

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Row:
    """A line of a sheet: as many pictures (H, W, 3) uint8 as the sheet has columns, under one title or each its own."""

    title: str | Sequence[str]
    pictures: Sequence[Pixels]


def sheet(columns: Sequence[str], rows: Sequence[Row], height: int = SIDE) -> Pixels:
    """Pictures in rows under the columns' names, (H, W, 3) uint8.

    height: pixels of a picture; smaller ones are enlarged by a whole factor without smoothing.
    """
    from PIL import Image, ImageDraw, ImageFont

    lines = [(row.title, [fitted(picture, height) for picture in row.pictures]) for row in rows]
    widths = [max(pictures[k].shape[1] for _, pictures in lines) for k in range(len(columns))]
    tops = np.cumsum([GAP + TITLE] + [max(p.shape[0] for p in pictures) + TITLE + GAP for _, pictures in lines])
    lefts = np.cumsum([GAP] + [width + GAP for width in widths])
    page = Image.new("RGB", (int(lefts[-1]), int(tops[-1])), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for left, name in zip(lefts, columns, strict=False):
        pen.text((int(left), GAP), name, fill=INK, font=font)
    for top, (title, pictures) in zip(tops, lines, strict=False):
        for left, name in zip(lefts, [title] if isinstance(title, str) else title, strict=False):
            pen.text((int(left), int(top) + 2), name, fill=FAINT, font=font)
        for left, picture in zip(lefts, pictures, strict=False):
            page.paste(Image.fromarray(picture), (int(left), int(top) + TITLE))
    return np.asarray(page)


def swap_sheet(
    words: Sequence[str], pictures: Sequence[Picture], edited: Sequence[Edited], places: bool = False
) -> Pixels:
    """Pictures by words: each picture (H, W, 3) in [0, 1], then what each word makes of it.

    A word that a picture was not swapped for, as its own, shows how the model brings the picture back. places:
    outlines what each swap was allowed to change.
    """
    rows = []
    for picture, one in zip(pictures, edited, strict=True):
        found = {
            word: outlined(eight_bits(swap.picture), swap.place if places else None)
            for swap in one.swaps
            for word in defects_in(swap.prompt)
        }
        shown = [found.get(word, eight_bits(one.reconstruction)) for word in words]
        rows.append(Row(one.prompt, [eight_bits(picture), *shown]))
    return sheet(["picture", *words], rows)


def attention_sheet(pictures: Sequence[Picture], edited: Sequence[Edited]) -> Pixels:
    """What each word of each picture's prompt attends to, over the picture; every map on its own scale."""
    width = max(len(one.maps) for one in edited)
    rows = []
    for picture, one in zip(pictures, edited, strict=True):
        veiled = [heat_over(picture, attended) for attended in one.maps.values()]
        blank = np.full_like(veiled[0], PAPER[0])
        rows.append(Row(["", *one.maps], [eight_bits(picture), *veiled, *[blank] * (width - len(veiled))]))
    return sheet(["picture", *[""] * width], rows)


def heat_over(picture: Picture, values: NDArray[np.floating]) -> Pixels:
    """A map (h, w), from its least to its most, in colours over a picture (H, W, 3) of [0, 1]."""
    from matplotlib import colormaps
    from skimage.transform import resize

    reach = max(float(np.ptp(values)), float(np.finfo(np.float32).tiny))
    heat = colormaps[HEAT](resize((values - values.min()) / reach, picture.shape[:2], order=1))[..., :3]
    return eight_bits((1 - VEIL) * np.asarray(picture) + VEIL * heat)
