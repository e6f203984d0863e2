import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scenes import memory

PIECES, PIECE = 1000, 100_000  # bytes; smaller than what the C library asks the system for by itself


def resident():
    """MiB of this process."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


@pytest.mark.skipif(sys.platform != "linux" or memory._glibc() is None, reason="glibc alone keeps freed memory so")
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
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    memory.give_back(memory.LARGE)
    assert not memory.keep_freed()


FAULTS = """
import ctypes, resource, sys
import numpy as np
from scenes import memory

if sys.argv[1] == "kept":
    assert memory.keep_freed()
def fill():  # smaller than what numpy asks large pages for by itself, and larger than what the C library keeps at first
    pieces = [np.ones(3 << 20, np.uint8) for _ in range(20)]
    assert all(piece[-1] == 1 for piece in pieces)
fill()
if sys.argv[2] == "given back":
    memory.give_back(memory.LARGE)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux" or memory._glibc() is None, reason="glibc alone is told so")
def test_what_was_freed_is_used_again_without_asking_the_system():
    def faults(*words):
        return int(subprocess.run([sys.executable, "-c", FAULTS, *words], check=True, capture_output=True).stdout)

    pages = 20 * (3 << 20) // 4096
    assert faults("kept", "") < pages / 20
    assert faults("kept", "given back") < 1.1 * pages  # once, not thrice; less where the system has large pages
