"""What a target of fuzzing is, and what the files of several are made of."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tree:
    """How a content is one of nested values, so that single values of it can be spoilt."""

    loads: Callable[[bytes], Any]
    dumps: Callable[[bytes, Any], bytes]  # given the sound content as well


@dataclass(frozen=True)
class Target:
    """A reader of one kind of file.

    file: where in a folder the content goes. prepare: makes what else the folder must hold, and gives sound contents.
    read: reads the file, given its path. tokens: what such files are made of. tree: of contents that are trees.
    """

    name: str
    file: str
    prepare: Callable[[Path], list[bytes]]
    read: Callable[[Path], object]
    tokens: tuple[bytes, ...] = ()
    tree: Tree | None = None
    mend: Callable[[bytes], bytes] = bytes  # makes checksums right again
    instrumented: tuple[str, ...] = field(default=("scenes", "procgen"))  # packages whose branches atheris follows


JSON = Tree(json.loads, lambda _, value: json.dumps(value).encode())
JSON_TOKENS = (
    b"null", b"true", b"NaN", b"-Infinity", b"1e400", b"-1", b"[]", b"{}", b'"\\ud800"', b'"\\u0000"', b"9" * 400,
    b"9" * 5000, b"[" * 2000, b'{"a":' * 2000, b"65536", b"2147483648", b"18446744073709551616",
)  # fmt: skip

BINARY_TOKENS = (
    b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80",
    b"\0" * 64, b"\xff" * 64,
)  # fmt: skip


def no_surroundings(*contents: bytes) -> Callable[[Path], list[bytes]]:
    return lambda folder: list(contents)
