"""Whether an evaluation is as it was written: every file compared with its digest."""

from collections.abc import Iterator
from pathlib import Path

from anomaly.evaluation.results import REPORT, ResultsError, read_results
from scenes.datasets.digests import differing
from scenes.datasets.files import page_seal_of, read_bytes
from scenes.datasets.schema import CHANGED


def damages(folder: Path) -> Iterator[str]:
    """Everything that is wrong with an evaluation, in words."""
    report = folder / REPORT
    if report.is_file() and page_seal_of(read_bytes(report)) != "whole":
        yield f"{report}: {CHANGED}"
    try:
        record = read_results(folder)
    except ResultsError as error:
        yield str(error)
        return
    yield from differing(folder, record.digests)


def repair(folder: Path) -> str:
    """What is left to do: heat maps cannot be made anew without the inspector and its pictures."""
    return f"{folder}: an evaluation cannot be mended; run it again"
