"""What every training keeps on disk: the settings it was begun with, its curve, its checkpoints' bytes. No torch."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from procgen.errors import BlemishError
from scenes.datasets.files import write_atomically
from scenes.datasets.schema import CHANGED

DIGEST = hashlib.sha256().digest_size  # bytes at a checkpoint's end


class CheckpointError(BlemishError):
    """A checkpoint that a training cannot go on from."""


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON gives them back: tuples are lists."""
    return dict(json.loads(json.dumps(settings)))


def changes(begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """In what settings differ, as in "rate was 0.1 and is 0.2; seed was 0 and is 1"; nothing where they agree."""
    found, asked = plain(begun), plain(wanted)
    names = [name for name in {**asked, **found} if found.get(name) != asked.get(name)]
    return "; ".join(f"{name} was {found.get(name)} and is {asked.get(name)}" for name in names)


def refuse_other_settings(path: Path, begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises CheckpointError, which names what differs, where a file was written by a training of other settings."""
    changed = changes(begun, wanted)
    if changed:
        raise CheckpointError(
            f"{path}: belongs to another training: {changed}; repeat its command, or choose another --out"
        )


def begin(path: Path, settings: Mapping[str, Any]) -> None:
    """Write down what is being trained, or see that it is what was begun there.

    Raises:
        CheckpointError: it is something else, or the file cannot be read.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps(plain(settings), indent=1) + "\n").encode())
        return
    try:
        begun = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: is no JSON object ({error}); choose another --out") from None
    refuse_other_settings(path, begun, settings)


def write_checked(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, that ends with the digest of the rest."""
    write_atomically(path, content + hashlib.sha256(content).digest())


def read_checked(path: Path) -> bytes:
    """What `write_checked` was given. Raises OSError, and ValueError where one bit of it is another."""
    written = path.read_bytes()
    content, digest = written[:-DIGEST], written[-DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError(f"it {CHANGED}, or an earlier Blemish wrote it without one")
    return content


def with_one_of_each_text(state: Any) -> Any:
    """A state of lists and dicts, each made anew, in which equal texts are one object.

    A pickle says where an object comes twice: without this, one of a state that was read back is of other bytes.
    """
    known: dict[str, str] = {}

    def rebuilt(part: Any) -> Any:
        match part:
            case str():
                return known.setdefault(part, part)
            case dict():
                return {rebuilt(key): rebuilt(value) for key, value in part.items()}
            case list():
                return [rebuilt(value) for value in part]
            case tuple():
                return tuple(rebuilt(value) for value in part)
        return part

    return rebuilt(state)


class Curve:
    """A training's measurements as a table on disk: every so many steps a row, the means since the last.

    columns: what is measured, and how its mean is shown. last: the step that ends the training, which ends a row, too.
    clock: gives a column of seconds where it is given.
    """

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, Callable[[float], float]],
        every: int,
        last: int,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.path, self.columns, self.every, self.last, self.clock = path, dict(columns), every, last, clock
        self.rows: list[list[float]] = []
        self._sums = [0.0] * len(self.columns)
        self._since = clock() if clock else 0.0

    def ends_row(self, step: int) -> bool:
        """Whether a row is complete with step `step`, counted from 1, and a checkpoint is due."""
        return step % self.every == 0 or step == self.last

    def record(self, step: int, measured: Sequence[float]) -> bool:
        """Take what step `step`, counted from 1, has measured; whether it ends a row."""
        self._sums = [total + value for total, value in zip(self._sums, measured, strict=True)]
        if not self.ends_row(step):
            return False
        count = (step - 1) % self.every + 1
        means = [show(total / count) for show, total in zip(self.columns.values(), self._sums, strict=True)]
        self._sums = [0.0] * len(self.columns)
        seconds = []
        if self.clock:
            now = self.clock()
            seconds, self._since = [now - self._since], now
        self.rows.append([step, *means, *seconds])
        return True

    def write(self) -> None:
        """The table as CSV, whole or as it was."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["step", *self.columns, *(["seconds"] if self.clock else [])])
        writer.writerows([int(step), *(f"{value:.5g}" for value in values)] for step, *values in self.rows)
        write_atomically(self.path, text.getvalue().encode())
