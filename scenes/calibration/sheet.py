"""Six real pictures, six rendered before the fit and six after, one beside the other."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scenes.calibration.calibrating import Calibration
from scenes.calibration.defects.fitting import DefectFit
from scenes.calibration.photographs import Photographs
from scenes.gallery.comparison import spread

SHOWN = 6
GAP, TITLE = 8, 22  # px
CELL = 300  # px, longest side
PAPER, INK = (250, 250, 250), (40, 40, 40)
ROWS = ("real", "rendered, recipe as it was", "rendered, fitted")

RGB = NDArray[np.uint8]
Rows = Mapping[str, Sequence[RGB]]  # of pictures, by their title


def rows_of(calibration: Calibration, real: Photographs) -> Rows:
    """What is shown: kept-back photographs, then frames of the same numbers before and after."""
    kept = [picture for picture, reserved in zip(real.pictures, real.reserved, strict=True) if reserved]
    before, after = calibration.frames_before.pictures, calibration.frames_after.pictures
    return dict(zip(ROWS, (spread(kept, SHOWN), before[:SHOWN], after[:SHOWN]), strict=True))


def defect_rows_of(fit: DefectFit) -> Rows:
    """Flaws of each class: real ones, rendered ones before and after."""
    return {
        f"{fitted.name}: {title}": flaws.crops
        for fitted in fit.classes
        for title, flaws in zip(ROWS, (fitted.real, fitted.before, fitted.after), strict=True)
        if flaws is not None
    }


def sheet(rows: Rows) -> bytes:
    """A PNG of rows of pictures under their titles, pixel for pixel where they are no larger than CELL."""
    from PIL import Image, ImageDraw

    cells = [[_cell(picture) for picture in row] for row in rows.values()]
    width = max(sum(cell.shape[1] + GAP for cell in row) for row in cells) + GAP
    height = sum(TITLE + GAP + max(cell.shape[0] for cell in row) for row in cells) + GAP
    image = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(image)
    top = GAP
    for title, row in zip(rows, cells, strict=True):
        pen.text((GAP, top), title, fill=INK)
        left = GAP
        for cell in row:
            image.paste(Image.fromarray(cell), (left, top + TITLE))
            left += cell.shape[1] + GAP
        top += TITLE + GAP + max(cell.shape[0] for cell in row)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=False)
    return stream.getvalue()


def as_data(content: bytes) -> str:
    """A PNG as a page writes it."""
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


def _cell(picture: RGB) -> RGB:
    """The middle of a picture that is no larger than CELL, at its own scale, so that grain stays grain."""
    row, column = (max(0, (side - CELL) // 2) for side in picture.shape[:2])
    return picture[row : row + CELL, column : column + CELL]
