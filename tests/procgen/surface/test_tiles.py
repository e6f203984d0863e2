"""Tiles cover every point once, in any thread, also tiles within tiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from procgen.surface.tiles import over_tiles


@given(count=st.integers(0, 200), size=st.integers(1, 50))
def test_every_point_is_worked_on_once(count, size):
    visits = np.zeros(count, dtype=int)

    def work(tile):
        visits[tile] += 1

    over_tiles(count, work, size)
    assert (visits == 1).all()


def test_tiles_of_a_tile_cover_it():
    visits = np.zeros((40, 30), dtype=int)

    def work(rows):
        def within(columns):
            visits[rows, columns] += 1

        over_tiles(30, within, 7)

    over_tiles(40, work, 9)
    assert (visits == 1).all()


def test_an_error_in_a_tile_is_raised():
    def work(tile):
        if tile.start <= 33 < tile.stop:
            raise KeyError(tile.start)

    with pytest.raises(KeyError):
        over_tiles(100, work, 10)
