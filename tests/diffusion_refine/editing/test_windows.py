"""Windows over frames: that they cover what they should, and that what they hold is put together exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_refine.editing.windows import Window, around, assembled, grid, padded, padded_shape, weights

SIDE, FACTOR = 32, 4

shapes = st.tuples(st.integers(1, 150), st.integers(1, 150))


@given(shapes)
@settings(max_examples=50)
def test_a_grid_puts_any_frame_together_again(shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(shape[0]).random((*shape, 3))
    whole = padded_shape(shape, SIDE, FACTOR)
    extended = padded(frame, whole)
    windows = grid(whole, SIDE, FACTOR)
    pieces = [extended[window.slices] for window in windows]
    again, covered = assembled(pieces, windows, whole)
    assert covered.all()
    np.testing.assert_allclose(again[: shape[0], : shape[1]], frame, atol=1e-12)
    for window in windows:
        assert window.texels(FACTOR).side * FACTOR == SIDE
        assert window.top + SIDE <= whole[0]
        assert window.left + SIDE <= whole[1]


@given(shapes, st.integers(0, 2**31), st.floats(0, 0.2))
@settings(max_examples=80)
def test_everything_marked_lies_in_a_window(shape: tuple[int, int], seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    whole = padded_shape(shape, SIDE, FACTOR)
    mask = np.zeros(whole, bool)
    mask[: shape[0], : shape[1]] = rng.random(shape) < share
    windows = around(mask, SIDE, FACTOR)
    covered = np.zeros(whole, bool)
    for window in windows:
        assert min(window.top, window.left) >= 0
        assert window.top + SIDE <= whole[0]
        assert window.left + SIDE <= whole[1]
        window.texels(FACTOR)
        covered[window.slices] = True
    assert covered[mask].all()
    if not mask.any():
        assert windows == ()


def test_one_thing_gets_one_window_around_it_and_its_neighbour_none() -> None:
    mask = np.zeros((160, 160), bool)
    mask[70:80, 70:80] = True
    mask[84:86, 80:82] = True
    (window,) = around(mask, SIDE, FACTOR)
    for span, low, high in ((window.slices[0], 70, 80), (window.slices[1], 70, 80)):
        assert span.start <= low - 4
        assert high + 4 <= span.stop
    assert window.slices[0].start <= 84 - 4
    assert window.slices[0].stop >= 86 + 4


def test_a_thing_longer_than_a_window_gets_several_that_overlap() -> None:
    mask = np.zeros((40, 200), bool)
    mask[20, 10:190] = True
    windows = around(mask, SIDE, FACTOR)
    lefts = sorted(window.left for window in windows)
    assert lefts[0] <= 10 - 4
    assert lefts[-1] + SIDE >= 190 + 4
    assert max(np.diff(lefts)) <= 0.75 * SIDE


def test_weights_sum_to_one_and_a_lone_window_weighs_one() -> None:
    windows = (Window(0, 0, 32), Window(0, 20, 32), Window(80, 80, 32))
    found = weights(windows, (120, 120))
    np.testing.assert_array_equal(found[2], 1.0)
    total = np.zeros((120, 120))
    for window, weight in zip(windows, found, strict=True):
        total[window.slices] += weight
    np.testing.assert_allclose(total[:32, :52], 1.0, atol=1e-12)
    assert (np.diff(found[0][0]) <= 1e-12).all()  # falls towards the neighbour


def test_a_window_off_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="grid"):
        Window(2, 0, 32).texels(4)
