import re
import sys
from pathlib import Path

import numpy as np
import pytest

from scenes import memory

PIECES, PIECE = 1000, 100_000  # bytes; smaller than what the C library asks the system for by itself


def resident():
    """MiB of this process."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


@pytest.mark.skipif(sys.platform != "linux" or memory._trim() is None, reason="glibc alone keeps freed memory so")
def test_what_was_freed_below_something_kept_goes_back_to_the_system():
    pieces = [np.ones(PIECE, np.uint8) for _ in range(PIECES)]
    last = pieces[-1]
    del pieces
    before = resident()
    memory.give_back(memory.LARGE - 1)
    assert resident() > before - 5
    memory.give_back(memory.LARGE)
    assert resident() < before - 60
    assert last.all()


def test_without_that_library_nothing_is_done(monkeypatch):
    monkeypatch.setattr(memory, "_trim", lambda: None)
    memory.give_back(memory.LARGE)
