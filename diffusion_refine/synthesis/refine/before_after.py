"""A sheet of what a refinement changed: cuttings around defects before, after, and their differences."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffusion_refine.editing.pixels import colour
from diffusion_refine.metrics.difference import Comparison, comparison_sheet
from scenes.datasets.files import write_atomically
from scenes.datasets.reader import Dataset, Frame

LINES = 6
LEAST_SIDE, ROOM = 96, 1.6  # of a cutting: pixels, and its side over that of what it shows
HEIGHT = 288  # of a picture on the sheet


def sheet_path(refined: Path) -> Path:
    """Beside the dataset's folder, which holds what was made and nothing else."""
    return refined.with_name(f"{refined.name}-refinement.png")


def write_sheet(source: Dataset, refined: Dataset, lines: int = LINES) -> Path | None:
    """Write the sheet of the frames that changed, evenly chosen, and give its path; None where none did."""
    chosen = [frame for frame in refined if (frame.refinement or {}).get("metrics", {}).get("psnr") is not None]
    if not chosen:
        return None
    places = np.unique(np.linspace(0, len(chosen) - 1, lines).round().astype(int))
    sheet = comparison_sheet([comparison(source, chosen[place]) for place in places], HEIGHT)
    path = sheet_path(refined.path.resolve())
    content = io.BytesIO()
    Image.fromarray(sheet).save(content, format="png")
    write_atomically(path, content.getvalue())
    return path


def comparison(source: Dataset, frame: Frame) -> Comparison:
    """A refined frame beside the one it was made of, cut to its largest defect that changed and the surroundings."""
    record = frame.refinement or {}
    number = record["parents"][0]["frame"]
    before, after = colour(source[source.indices.index(number)].image), colour(frame.image)
    rows, columns = cutting(frame, np.abs(after - before).max(axis=2) > 0)
    words = ", ".join(dict.fromkeys(f"{entry['from']} to {entry['word']}" for entry in record["swapped"]))
    shown = f"frame {frame.index}"
    if frame.index != number or words:
        shown += f" of {number}"
    metrics = record["metrics"]
    figures = f"PSNR {metrics['psnr']:.1f} dB, SSIM {metrics['ssim']:.3f}"
    title = ", ".join(filter(None, [shown, words, record["outcome"], figures]))
    return Comparison(title, before[rows, columns], after[rows, columns], frame.defects[rows, columns] > 0)


def cutting(frame: Frame, changed: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of a square around the largest defect that changed; of the whole frame where none did."""
    ids = frame.defects[changed & (frame.defects > 0)]
    if not ids.size:
        return slice(None), slice(None)
    there = frame.defects == np.bincount(ids).argmax()
    spans = []
    boxes = [np.flatnonzero(there.any(axis=axis)) for axis in (1, 0)]
    side = max(LEAST_SIDE, int(ROOM * max(np.ptp(box) + 1 for box in boxes)))
    for box, length in zip(boxes, there.shape, strict=True):
        start = int(np.clip((box[0] + box[-1] + 1 - side) // 2, 0, max(0, length - side)))
        spans.append(slice(start, min(length, start + side)))
    return spans[0], spans[1]
