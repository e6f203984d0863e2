"""A sheet of what a refinement changed: cuttings around defects before, after, and their differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffusion_refine.editing.pixels import colour
from diffusion_refine.metrics.difference import Comparison
from diffusion_refine.synthesis.sheets import cutting, evenly, write_beside
from scenes.datasets.reader import Dataset, Frame

LINES = 6


def sheet_path(refined: Path) -> Path:
    """Beside the dataset's folder, which holds what was made and nothing else."""
    return refined.with_name(f"{refined.name}-refinement.png")


def write_sheet(source: Dataset, refined: Dataset, lines: int = LINES) -> Path | None:
    """Write the sheet of the frames that changed, evenly chosen, and give its path; None where none did."""
    chosen = [frame for frame in refined if (frame.refinement or {}).get("metrics", {}).get("psnr") is not None]
    if not chosen:
        return None
    places = evenly(len(chosen), lines)
    return write_beside(sheet_path(refined.path.resolve()), [comparison(source, chosen[place]) for place in places])


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
