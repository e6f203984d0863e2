"""Whether an inspector, or the training of one, is as it was written: its file compared with the digest in it."""

from collections.abc import Iterator
from pathlib import Path

from anomaly.inspection.filling import STATE_FILE
from anomaly.inspection.inspector import BANK_FILE, Inspector, InspectorError, read_tensors


def damages(folder: Path) -> Iterator[str]:
    """What is wrong with an inspector, in words."""
    try:
        if (folder / BANK_FILE).is_file():
            Inspector.load(folder)
        if (folder / STATE_FILE).is_file():
            read_tensors(folder / STATE_FILE)
    except InspectorError as error:
        yield str(error)


def repair(folder: Path) -> str:
    """What is left to do: a bank cannot be made anew without its pictures."""
    return f"{folder}: an inspector cannot be mended; train it again"
