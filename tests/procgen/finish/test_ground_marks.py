"""Sharp lines and films of the ground finish, against what they are said to be."""

from dataclasses import replace

import numpy as np
import pytest

from procgen.errors import BlemishError
from procgen.finish import GroundFinish

PLAIN = GroundFinish(
    lay_direction=(0.0, 1.0, 0.0),
    correlation_along=5e-3,
    correlation_across=1e-4,
    height_rms=0.0,
    base_colour=(0.5, 0.5, 0.5),
    roughness=0.3,
    seed=4,
)


def grid(width: float, height: float, columns: int, rows: int) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, width, columns), np.linspace(0, height, rows))
    return np.column_stack([x.ravel(), y.ravel(), np.full(x.size, 0.0123)])


def test_lines_are_bright_narrow_and_run_from_end_to_end() -> None:
    finish = replace(PLAIN, lines=1.0, line_width=5e-5)
    shown = np.log(finish.evaluate(grid(0.02, 0.04, 2000, 40)).base_colour[:, 0] / 0.5).reshape(40, 2000)
    assert shown.min() == pytest.approx(0, abs=1e-6)
    lit = shown > 0
    assert 0.01 < lit.mean() < 0.1
    columns = lit.mean(axis=0)
    # Where a line is at all, it is nearly all along: they fade here and there, and have no ends.
    assert np.mean(columns[columns > 0] > 0.7) > 0.9
    middle = lit[20].astype(int)
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], middle, [0]])))[: 2 * (middle.sum() // 2)])[::2]
    assert np.median(runs) * 1e-5 < 5e-5  # steps of 10 µm


def test_a_film_takes_each_colour_by_its_absorption() -> None:
    """Beer and Lambert: the logarithms of what is left of red, green and blue are as .25 to .6 to 1.4 everywhere."""
    bare, filmed = (replace(PLAIN, film=film).evaluate(grid(0.03, 0.03, 100, 100)).base_colour for film in (0.0, 0.5))
    lost = -np.log(filmed.astype(float) / bare)
    thick = lost[:, 2] > 0.05
    assert thick.mean() > 0.3
    assert np.allclose(lost[thick, 0] / lost[thick, 2], 0.25 / 1.4, atol=1e-3)
    assert np.allclose(lost[thick, 1] / lost[thick, 2], 0.6 / 1.4, atol=1e-3)
    assert lost.min() >= -1e-6


def test_without_either_a_finish_is_what_it_was() -> None:
    points = grid(0.02, 0.02, 40, 40)
    other = replace(PLAIN, line_width=3e-4, film_size=1e-2)
    assert np.array_equal(PLAIN.evaluate(points).base_colour, other.evaluate(points).base_colour)


def test_lines_and_films_below_nothing_are_refused() -> None:
    with pytest.raises(BlemishError, match="lines"):
        replace(PLAIN, lines=-0.1)
    with pytest.raises(BlemishError, match="film_size"):
        replace(PLAIN, film_size=0)
