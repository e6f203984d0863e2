"""Whether an inspector is as it was written: its file compared with the digest in it."""

from collections.abc import Iterator
from pathlib import Path

from anomaly.inspection.inspector import Inspector, InspectorError


def damages(folder: Path) -> Iterator[str]:
    """What is wrong with an inspector, in words."""
    try:
        Inspector.load(folder)
    except InspectorError as error:
        yield str(error)


def repair(folder: Path) -> str:
    """What is left to do: a bank cannot be made anew without its pictures."""
    return f"{folder}: an inspector cannot be mended; train it again"
