"""Whether an evaluation is as it was written: every file compared with its digest."""

from collections.abc import Iterator
from pathlib import Path

from anomaly.evaluation.results import ResultsError, read_results
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import sha256_of
from scenes.datasets.schema import CHANGED


def damages(folder: Path) -> Iterator[str]:
    """Everything that is wrong with an evaluation, in words."""
    try:
        record = read_results(folder)
    except ResultsError as error:
        yield str(error)
        return
    for name, digest in record.digests.items():
        try:
            if sha256_of(folder / name) != digest:
                yield f"{folder / name}: {CHANGED}"
        except DatasetError as error:
            yield str(error)


def repair(folder: Path) -> str:
    """What is left to do: heat maps cannot be made anew without the inspector and its pictures."""
    return f"{folder}: an evaluation cannot be mended; run it again"
