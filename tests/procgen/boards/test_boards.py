"""Board layouts keep their clearances; defects change copper and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procgen.boards.layout import ADDS, Board, CopperDefect
from procgen.boards.routing import BORDER, CLEARANCE, GRID, lay_out
from procgen.errors import BlemishError

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
