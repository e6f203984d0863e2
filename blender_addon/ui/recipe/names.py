"""Lists of names as one line of text: with commas between them, and quotes round names that hold one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

QUOTED = ',"\r\n'  # what a name may not hold without quotes round it


def text_of(names: Iterable[str]) -> str:
    """The names as one line."""
    return ", ".join(_quoted(name) if any(sign in name for sign in QUOTED) else name for name in names)


def names_in(text: str) -> list[str]:
    """The names of a line, in order; what is empty is none."""
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    return [name for row in rows for name in map(str.strip, row) if name]


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
