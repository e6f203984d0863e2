"""Opening files that people give: a pipe might never give anything, and a device never end."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def opened(path: Path) -> BufferedReader:
    """A file, open for reading bytes. Raises OSError, also for what is a folder, a pipe or a device."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is a folder, a pipe or a device", str(path))
    return open(descriptor, "rb")


def content_of(path: Path) -> bytes:
    """What a file holds. Raises OSError, as `opened` does."""
    with opened(path) as file:
        return file.read()
