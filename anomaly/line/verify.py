"""Whether an inspection is as it was written: every line compared with its seal, every file with its digest."""

from collections.abc import Iterator
from pathlib import Path

from anomaly.line.verdict_file import PAGE, SETTINGS, VERDICTS, InspectionError, Line, lines_of, read_settings
from anomaly.reporting.inspection_page import verdicts_shown
from scenes.datasets.digests import differing
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import page_seal_of, read_bytes
from scenes.datasets.schema import CHANGED


def damages(folder: Path) -> Iterator[str]:
    """Everything that is wrong with an inspection, in words."""
    try:
        read_settings(folder)
        lines = _lines(folder)
        for line in lines:
            yield from differing(folder, line.get("digests", {}))
        yield from _page(folder, lines)
    except (InspectionError, DatasetError) as error:
        yield str(error)


def repair(folder: Path) -> str:
    """What is left to do: nothing here knows the inspector and its pictures."""
    return f"{folder}: an inspection cannot be mended; remove {SETTINGS} and all beside it, and run it again"


def _lines(folder: Path) -> list[Line]:
    path = folder / VERDICTS
    content = read_bytes(path) if path.is_file() else b""
    lines = list(lines_of(content[: content.rfind(b"\n") + 1], path))
    if not content.endswith(b"\n") and content:
        raise InspectionError(f"{path}: its last line is cut short; run the command that wrote it again to go on")
    return lines


def _page(folder: Path, lines: list[Line]) -> Iterator[str]:
    """What is wrong with the page, and whether lines are missing that it was written from."""
    path = folder / PAGE
    if not path.is_file():
        return
    content = read_bytes(path)
    shown = verdicts_shown(content)
    if page_seal_of(content) != "whole" or shown is None:
        yield f"{path}: {CHANGED}"
        return
    count, seal = shown
    if count and (len(lines) < count or lines[count - 1]["seal"] != seal):
        yield f"{folder / VERDICTS}: {CHANGED}: {path.name} shows other verdicts"
