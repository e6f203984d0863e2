"""Whether an export is as it was written: every file compared with its digest."""

from collections.abc import Iterator
from pathlib import Path

from scenes.datasets.digests import differing
from scenes.formats.exchange.export import read_sums


def damages(folder: Path) -> Iterator[str]:
    """Everything that is wrong with an export, in words. Raises SampleError where its sums are damaged."""
    yield from differing(folder, read_sums(folder)[1])


def repair(folder: Path) -> str:
    """What is left to do: the dataset that it was made of lies elsewhere."""
    return f"{folder}: an export cannot be mended; remove it and export again"
