"""Whether a study is as it was written: its figures, its report, and every step in its own cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from anomaly.studies.engine.cache import INPUTS, damages_of_step
from scenes.datasets import verify as datasets
from scenes.datasets.files import page_seal_of, read_bytes, seal_of
from scenes.datasets.schema import CHANGED, HEADER

FIGURES_FILE, REPORT, CACHE = "figures.json", "report.html", "cache"


def damages(folder: Path) -> Iterator[str]:
    """Everything that is wrong with a study, in words."""
    for path, seal in ((folder / FIGURES_FILE, seal_of), (folder / REPORT, page_seal_of)):
        if path.is_file() and seal(read_bytes(path)) != "whole":
            yield f"{path}: {CHANGED}"
    for path in sorted((folder / CACHE).glob(f"*/*/{INPUTS}")):
        yield from damages_of_step(path.parent)
    for path in sorted((folder / CACHE).glob(f"*/*/{HEADER}")):
        yield from map(str, datasets.damages(path.parent))


def repair(folder: Path) -> str:
    """What is left to do: the study finds by itself what is damaged."""
    return f"{folder}: run the study again: it makes anew what is damaged, and nothing else"
