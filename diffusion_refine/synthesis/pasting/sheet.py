"""A sheet of what was pasted: cuttings of frames before, after, and their differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffusion_refine.editing.pixels import colour
from diffusion_refine.metrics.difference import Comparison
from diffusion_refine.synthesis.pasting.surfaces import Surfaces
from diffusion_refine.synthesis.sheets import cutting, evenly, write_beside
from scenes.datasets.reader import Dataset, Frame

LINES = 6


def sheet_path(made: Path) -> Path:
    """Beside the dataset's folder, which holds what was made and nothing else."""
    return made.with_name(f"{made.name}-pasted.png")


def write_sheet(surfaces: Surfaces, made: Dataset, lines: int = LINES) -> Path | None:
    """Write the sheet of frames that something was pasted on, evenly chosen, and give its path; None where none was."""
    chosen = [frame for frame in made if (frame.refinement or {}).get("pasted")]
    if not chosen:
        return None
    found = [comparison(surfaces, chosen[place]) for place in evenly(len(chosen), lines)]
    return write_beside(sheet_path(made.path.resolve()), found)


def comparison(surfaces: Surfaces, frame: Frame) -> Comparison:
    """A frame beside what it was made of, cut to its largest new defect and the surroundings."""
    pieces = (frame.refinement or {})["pasted"]
    before, after = colour(surfaces.at(frame.index)[0].image), colour(frame.image)
    rows, columns = cutting(frame, np.abs(after - before).max(axis=2) > 0)
    first, last = pieces[0]["instances"][0], pieces[-1]["instances"][1]
    new = (frame.defects >= first) & (frame.defects <= last)
    words = ", ".join(dict.fromkeys(piece["class"] for piece in pieces))
    title = f"frame {frame.index}, {words}"
    return Comparison(title, before[rows, columns], after[rows, columns], new[rows, columns])
