"""Work on many points, cut into tiles: temporaries stay in the cache, and every core takes its share."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

TILE = 32768  # points: their temporaries still fit the cache, and threads seldom wait for each other

_inside = threading.local()  # whether this thread is itself at work on a tile


def over_tiles(count: int, work: Callable[[slice], None], size: int = TILE) -> None:
    """Do `work` on slices of `size` that cover `count` points, a thread a core: NumPy and numba let go of the lock.

    Work on a tile that comes to tiles of its own does them one after the other.
    """
    tiles = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    if len(tiles) <= 1 or getattr(_inside, "a_tile", False):
        for tile in tiles:
            work(tile)
        return
    with ThreadPoolExecutor(min(len(tiles), os.cpu_count() or 1), initializer=_enter) as threads:
        for _ in threads.map(work, tiles):
            pass


def _enter() -> None:
    _inside.a_tile = True
