"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

LARGE = 1 << 22  # pixels of a picture, from which on it is worth the while


def give_back(pixels: int) -> None:
    """Give back what pictures of so many pixels left free, where these are many.

    The C library of Linux keeps pieces of up to 32 MiB, of which Pillow's pictures consist, for itself.
    """
    if pixels >= LARGE and (trim := _trim()) is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], object] | None:
    """glibc's malloc_trim(3); None where there is another C library."""
    try:
        found: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):  # musl, macOS; Windows
        return None
    return found
