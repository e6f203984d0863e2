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
    other = replace(PLAIN, line_width=3e-4, film_size=1e-2, through_grooves=1, through_groove_depth=1e-5, smudge_size=1)
    assert np.array_equal(PLAIN.evaluate(points).base_colour, other.evaluate(points).base_colour)


def test_lines_and_films_below_nothing_are_refused() -> None:
    with pytest.raises(BlemishError, match="lines"):
        replace(PLAIN, lines=-0.1)
    with pytest.raises(BlemishError, match="film_size"):
        replace(PLAIN, film_size=0)


GROOVED = replace(
    PLAIN,
    through_grooves=0.5,
    through_groove_density=800.0,
    through_groove_width=1.2e-4,
    through_groove_depth=4e-6,
)


def line_across(length: float, step: float) -> np.ndarray:
    x = np.arange(0.0, length, step)
    return np.column_stack([x, np.full(len(x), 0.004), np.full(len(x), 0.0123)])


def test_grooves_from_end_to_end_are_as_many_and_as_wide_as_they_are_said_to_be() -> None:
    """Chords that a line cuts out of balls of diameter w: w 2/3 wide on average, w at most, even in their square."""
    step, length = 1e-6, 1.2
    shown = np.log(GROOVED.evaluate(line_across(length, step)).base_colour[:, 0] / 0.5)
    widths = []
    for side in (shown > 1e-6, shown < -1e-6):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], side.astype(int), [0]])))
        widths.append((edges[1::2] - edges[::2]) * step)
    assert [len(each) / length for each in widths] == [pytest.approx(400, rel=0.1)] * 2
    every = np.concatenate(widths)
    # Two that overlap are seen as one: a few are wider than the widest.
    assert np.mean(every > 1.2e-4 + step) < 0.03
    assert every.mean() == pytest.approx(8e-5, rel=0.05)
    assert np.mean(every < 6e-5) == pytest.approx(0.25, abs=0.04)


def test_grooves_from_end_to_end_are_as_deep_as_their_paraboloids() -> None:
    """The mean over a line: so many a metre, each of 2/3 of the widest, of a mean depth of 2/5 over a ball."""
    height = GROOVED.evaluate(line_across(1.2, 2e-6)).height.astype(float)
    assert height.min() >= -4e-6 * (1 + 1e-6)
    assert height.max() == 0
    assert -height.mean() == pytest.approx(800 * (2 / 3) * 1.2e-4 * (2 / 5) * 4e-6, rel=0.1)


@pytest.mark.parametrize("lay", [(0.0, 1.0, 0.0), (0.1, -3.0, 0.2), (1.0, 0.0, 0.0)])
def test_grooves_are_the_same_all_along_the_lay(lay: tuple[float, float, float]) -> None:
    finish = replace(GROOVED, lay_direction=lay)
    points = np.random.default_rng(0).uniform(-0.02, 0.02, (4000, 3))
    moved = points + np.array([[0.031]]) * np.array(lay) / np.linalg.norm(lay)
    here, there = (finish.evaluate(each).base_colour[:, 0] for each in (points, moved))
    assert here.std() > 0.01
    assert np.corrcoef(here, there)[0, 1] > 0.9999


def test_smudges_darken_the_share_of_the_surface_where_normal_noise_is_beyond_a_deviation() -> None:
    smudged = replace(PLAIN, smudges=0.2, smudge_roughness=0.1, smudge_size=1e-3)
    sample = smudged.evaluate(grid(0.1, 0.1, 300, 300))
    darker = -np.log(sample.base_colour[:, 0].astype(float) / 0.5)
    assert darker.min() >= -1e-6
    assert np.mean(darker > 1e-6) == pytest.approx(0.159, abs=0.03)
    assert darker.mean() == pytest.approx(0.2 * 0.0833, rel=0.25)  # of a normal distribution beyond one deviation
    np.testing.assert_allclose(0.3 - sample.roughness, darker / 2, atol=1e-6)


def test_more_grooves_than_fit_are_refused() -> None:
    with pytest.raises(BlemishError, match="expected at most 104720 per m, or they would merge"):
        replace(GROOVED, through_groove_density=2e5)
    replace(GROOVED, through_groove_density=1e5)


@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (np.cos(0.4), np.sin(0.4), 0.0)])
def test_marks_run_round_a_cylinder_as_they_run_on_it_unrolled(axis: tuple[float, float, float]) -> None:
    radius, everything = 0.015, {"streaks": 0.1, "grain": 0.1, "mottle": 0.2, "through_grooves": 0.5, "film": 0.2}
    flat = replace(PLAIN, **everything, height_rms=1e-7, through_groove_density=500.0)
    turned = replace(flat, axis_direction=axis, axis_depth=radius)
    random = np.random.default_rng(2)
    along, angle = random.uniform(-0.02, 0.02, 500), random.uniform(-1.5, 1.5, 500)
    aside = np.array([-axis[1], axis[0], 0.0])
    upwards = radius * np.cos(angle) - radius  # the cylinder touches z = 0 along the axis
    around = np.outer(along, axis) + np.outer(radius * np.sin(angle), aside) + np.outer(upwards, (0, 0, 1))
    unrolled = np.outer(along, axis) + np.outer(radius * angle, aside)
    found, expected = turned.evaluate(around), flat.evaluate(unrolled)
    assert np.allclose(found.base_colour, expected.base_colour, atol=1e-5)
    assert np.allclose(found.height, expected.height, atol=1e-11)
    assert not np.allclose(flat.evaluate(around).base_colour, expected.base_colour, atol=1e-2)


def test_an_axis_that_does_not_lie_is_refused() -> None:
    for axis in ((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.2)):
        with pytest.raises(BlemishError, match="expected one that lies"):
            replace(PLAIN, axis_direction=axis)
    with pytest.raises(BlemishError, match="axis_depth"):
        replace(PLAIN, axis_depth=-1e-3)
