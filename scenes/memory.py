"""Memory that was freed: kept for this process where that saves time, given back to the system where it is much."""

from __future__ import annotations

import ctypes
import mmap
from dataclasses import dataclass
from functools import cache

LARGE = 1 << 22  # pixels of a picture, from which on it is worth the while to give back
KEPT = 3 << 29  # bytes of addresses, not of memory: what one step of a network leaves free and the next one takes
LARGE_PAGE = 1 << 21  # bytes, of x86 and of most ARM
TRIM_THRESHOLD, MMAP_MAX = -1, -4  # parameters of mallopt(3)


@dataclass
class _State:
    is_kept: bool = False


_state = _State()


def keep_freed() -> bool:
    """Have this process use again what it frees, in large pages; False where the C library or the system refuses.

    The C library of Linux returns large pieces at once, and the system hands them out anew, zeroed, in pages of 4 KiB:
    networks on a processor spend up to a third of their time so (`benchmarks/allocation.py`). Results are the same to
    the last bit. For programs; a library leaves the memory of the program that uses it alone.
    """
    library = _glibc()
    if library is None or not (library.mallopt(MMAP_MAX, 0) and library.mallopt(TRIM_THRESHOLD, (1 << 31) - 1)):
        return False
    _state.is_kept = True
    return _advise(library)


def give_back(pixels: int) -> None:
    """Give back what pictures of so many pixels left free, where these are many.

    The C library of Linux keeps pieces of up to 32 MiB, of which Pillow's pictures consist, for itself.
    """
    if pixels >= LARGE and (library := _glibc()) is not None:
        library.malloc_trim(0)
        if _state.is_kept:
            _advise(library)


def _advise(library: ctypes.CDLL) -> bool:
    """Ask for large pages where the heap is going to grow: its end, taken and freed, of which nothing is touched."""
    start = library.malloc(KEPT)
    if not start:  # fewer addresses are allowed
        return False
    first, last = -(-start // LARGE_PAGE), (start + KEPT) // LARGE_PAGE
    refused = library.madvise(first * LARGE_PAGE, (last - first) * LARGE_PAGE, mmap.MADV_HUGEPAGE)
    library.free(start)
    return not refused


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library that this process runs on; None where it is another one than glibc."""
    try:
        library = ctypes.CDLL(None)
        library.mallopt.argtypes = [ctypes.c_int, ctypes.c_int]
        library.malloc_trim.argtypes = [ctypes.c_size_t]
        library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
        library.free.argtypes = [ctypes.c_void_p]
        library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    except (OSError, TypeError, AttributeError):  # musl, macOS; Windows
        return None
    return library if hasattr(mmap, "MADV_HUGEPAGE") else None
