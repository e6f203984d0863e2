"""Board layouts keep their clearances; defects change copper and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procgen.boards.layout import (
    ADDS,
    COPPER,
    HOLE,
    POUR_CLEARANCE,
    Board,
    BoardFinish,
    CopperDefect,
    pour_distance,
)
from procgen.boards.routing import BORDER, CLEARANCE, GRID, lay_out
from procgen.errors import BlemishError
from procgen.finish import LaminateFinish
from procgen.surface.layer import compose

TRACK = 0.25e-3
ROUNDING = 1e-9


@pytest.fixture(scope="module")
def board() -> Board:
    return lay_out(0.03, 0.025, 1.0, TRACK, np.random.default_rng(3))


def test_layout_is_the_same_for_the_same_seed(board: Board) -> None:
    again = lay_out(0.03, 0.025, 1.0, TRACK, np.random.default_rng(3))
    assert np.array_equal(board.tracks, again.tracks)
    assert np.array_equal(board.pads, again.pads)
    assert len(board.tracks) > 30


def test_tracks_run_at_multiples_of_45_degrees_but_for_their_ends_on_pads(board: Board) -> None:
    span = board.tracks[:, 1] - board.tracks[:, 0]
    long = np.hypot(*span.T) > 1.5 * GRID
    angle = np.degrees(np.arctan2(span[long, 1], span[long, 0])) / 45
    assert np.mean(np.abs(angle - np.rint(angle)) < 1e-6) > 0.97


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_nets_keep_their_clearance(seed: int) -> None:
    """Points along every track are as far as promised from all copper of other nets."""
    board = lay_out(0.03, 0.025, 1.0, TRACK, np.random.default_rng(seed))
    for net in np.unique(board.nets):
        mine, other = board.nets == net, board.nets != net
        foreign = Board(
            board.tracks[other], board.widths[other], board.nets[other], board.pads[board.pad_nets != net],
            board.pad_halves[board.pad_nets != net], board.drills[board.pad_nets != net],
            board.pad_nets[board.pad_nets != net], board.prints,
        )  # fmt: skip
        for (start, end), width in zip(board.tracks[mine], board.widths[mine], strict=True):
            along = start + np.linspace(0, 1, 20)[:, None] * (end - start)
            gap = foreign.copper_distance(along).min() - width / 2
            assert gap > 0.4 * CLEARANCE  # checked on the grid's points only, half a cell apart at worst
    assert np.abs(board.tracks[..., 0]).max() <= 0.015 - BORDER + ROUNDING


def test_distances_agree_with_brute_force(board: Board) -> None:
    points = np.random.default_rng(1).uniform(-0.012, 0.012, (400, 2))
    start, span = board.tracks[:, 0], board.tracks[:, 1] - board.tracks[:, 0]
    away = points[:, None] - start
    share = np.clip((away * span).sum(-1) / np.maximum((span**2).sum(-1), 1e-300), 0, 1)
    exact = (np.linalg.norm(away - share[..., None] * span, axis=-1) - board.widths / 2).min(axis=1)
    said = board.track_distance(points)
    near = exact < 3.9e-4
    assert near.any()
    assert np.allclose(said[near], exact[near], atol=1e-12)
    assert (said[~near] >= 3.89e-4).all()


@given(
    st.sampled_from(sorted(ADDS)),
    st.floats(1e-5, 2e-3),
    st.floats(0, 1),
    st.integers(0, 1000),
    st.floats(-0.01, 0.01),
    st.floats(-0.01, 0.01),
)
@settings(max_examples=40)
def test_defects_add_copper_where_there_is_none_and_take_it_where_it_is(
    board: Board, name: str, radius: float, raggedness: float, seed: int, x: float, y: float
) -> None:
    defect = CopperDefect(board, name, (x, y), (x + radius, y), radius, raggedness, seed)
    xy = np.random.default_rng(seed).uniform(-4, 4, (4000, 2)) * radius + (x, y)
    points = np.column_stack([xy, np.zeros(len(xy))])
    sample = defect.evaluate(points)
    copper, hole = board.copper_distance(xy), board.pad_distance(xy)[1]
    if name == "missing_hole":
        assert (hole[sample.inside] < 0).all()
    else:
        assert ((copper[sample.inside] > 0) == ADDS[name]).all()
        assert (sample.height[sample.inside] >= 0).all() == ADDS[name] or not sample.inside.any()
    outside = ~sample.inside
    for field in ("height", "reflectance", "roughness", "metallic", "opacity", "instance"):
        array = getattr(sample, field)
        assert np.isfinite(array).all()
        assert not array[outside].any()
    some = np.random.default_rng(seed + 1).permutation(len(points))[:100]
    assert np.array_equal(defect.evaluate(points[some]).inside, sample.inside[some])


def test_values_out_of_range_are_refused(board: Board) -> None:
    with pytest.raises(BlemishError, match="mouse bite: found radius"):
        CopperDefect(board, "mouse_bite", (0, 0), (0, 0), 0.0)
    with pytest.raises(BlemishError, match="found raggedness"):
        CopperDefect(board, "spur", (0, 0), (0, 0), 1e-4, 1.5)


@pytest.fixture(scope="module")
def bare() -> Board:
    return lay_out(0.02, 0.02, 1.0, TRACK, np.random.default_rng(3), pours=6, masked=False)


@given(st.floats(1e-3, 5e-3), st.floats(1e-3, 5e-3), st.floats(0.1, 0.58), st.integers(0, 99))
@settings(max_examples=20)
def test_a_pour_is_the_inside_of_its_octagon(half_x: float, half_y: float, cut: float, seed: int) -> None:
    from matplotlib.path import Path

    cut *= min(half_x, half_y)
    corners = [(half_x, half_y - cut), (half_x - cut, half_y)]
    corners += [(-x, y) for x, y in corners[::-1]]
    corners += [(-x, -y) for x, y in corners]
    xy = np.random.default_rng(seed).uniform(-6e-3, 6e-3, (500, 2))
    distance = pour_distance(xy, np.array([0.0, 0.0, half_x, half_y, cut]))
    assert ((distance < 0) == Path(corners).contains_points(xy)).all()


def test_pours_keep_clear_of_each_other_and_of_all_other_copper(bare: Board) -> None:
    assert len(bare.pours) >= 3
    xy = np.random.default_rng(2).uniform(-0.01, 0.01, (20000, 2))
    others = np.minimum(bare.track_distance(xy), bare.pad_distance(xy)[0])
    filled = (bare.copper_distance(xy) < 0) & (others > 0)
    assert filled.sum() > 500
    assert others[filled].min() >= POUR_CLEARANCE
    within = np.array([pour_distance(xy, pour) <= POUR_CLEARANCE / 2 for pour in bare.pours])
    assert within.sum(axis=0).max() == 1


def test_a_layout_without_pours_is_what_it_was(board: Board) -> None:
    poured = lay_out(0.03, 0.025, 1.0, TRACK, np.random.default_rng(3), pours=4)
    assert np.array_equal(board.tracks, poured.tracks)
    assert np.array_equal(board.pads, poured.pads)
    assert not len(board.pours)


def test_bare_copper_is_metal_on_a_laminate_that_stays_as_it_was(bare: Board) -> None:
    laminate = LaminateFinish(
        ra=1e-6, warp_pitch=6e-4, weft_pitch=8e-4, base_colour=(0.28, 0.22, 0.08), roughness=0.8, seed=1
    )
    xy = np.random.default_rng(4).uniform(-0.01, 0.01, (4000, 2))
    points = np.column_stack([xy, np.zeros(len(xy))])
    shown, below = BoardFinish(laminate, bare).evaluate(points), laminate.evaluate(points)
    copper, hole = bare.copper_distance(xy), bare.pad_distance(xy)[1]
    metal, free = (copper < -2e-5) & (hole > 0), copper > 2e-5
    assert np.allclose(shown.base_colour[metal], COPPER)
    assert np.allclose(shown.metallic[metal], 1)
    assert np.array_equal(shown.base_colour[free], below.base_colour[free])
    assert np.array_equal(shown.height[free], below.height[free])
    assert np.allclose(shown.base_colour[hole < 0], HOLE)


@pytest.mark.parametrize("name", ["short", "pin_hole"])
def test_what_is_wrong_on_a_bare_board_looks_like_what_should_not_be_there(bare: Board, name: str) -> None:
    """Copper where the layout has none, laminate where it has copper."""
    laminate = LaminateFinish(
        ra=1e-6, warp_pitch=6e-4, weft_pitch=8e-4, base_colour=(0.28, 0.22, 0.08), roughness=0.8, seed=1
    )
    middle = bare.pours[0, :2]
    defect = CopperDefect(bare, name, (middle[0] - 2e-3, middle[1]), (middle[0] + 2e-3, middle[1]), 3e-4)
    xy = middle + np.random.default_rng(5).uniform(-3e-3, 3e-3, (6000, 2))
    maps = compose(np.column_stack([xy, np.zeros(len(xy))]), BoardFinish(laminate, bare), [defect], {name: 0})
    wrong, copper = maps.classes.ravel() == 1, bare.copper_distance(xy)
    assert wrong.sum() > 30
    deep = wrong & (np.abs(copper) > 3e-5)
    assert ((copper[deep] > 0) == (name == "short")).all()
    metallic = maps.metallic.ravel()[deep]
    assert np.allclose(metallic, 1 if name == "short" else 0, atol=1e-6)
