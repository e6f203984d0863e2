"""What is told of the border of a defect, and where its cutting lies."""

import numpy as np
import pytest

from benchmarks.stages import SIDE, cutting, in_turns, step_at_border


def disc(softness: float) -> tuple[np.ndarray, np.ndarray]:
    """A dark disc on noise, and its mask; the softer, the slower it fades towards its border."""
    y, x = np.mgrid[:80, :80] - 40.0
    inside = 12.0 - np.hypot(x, y)
    noise = np.random.default_rng(0).normal(150, 2, (80, 80))
    share = np.clip(inside / softness, 0, 1)
    return np.repeat((noise - 80 * share)[..., None], 3, axis=2).round().astype(np.uint8), inside > 0


def test_a_hard_border_steps_and_one_that_fades_does_not() -> None:
    hard, mask = disc(0.01)
    soft, _ = disc(12.0)
    bare = np.repeat(np.random.default_rng(1).normal(150, 2, (80, 80))[..., None], 3, axis=2).round().astype(np.uint8)
    assert step_at_border(hard, mask) > 20
    assert step_at_border(soft, mask) < 2
    assert step_at_border(bare, mask) == pytest.approx(1, abs=0.2)


def test_a_cutting_is_round_the_defect_and_within_the_picture() -> None:
    image = np.zeros((90, 70, 3), np.uint8)
    image[..., 0], image[..., 1] = np.mgrid[:90, :70]
    mask = np.zeros((90, 70), bool)
    mask[88, 30:33] = True
    found = cutting(image, mask)
    assert found.shape == (SIDE, SIDE, 3)
    assert found[0, 0].tolist() == [90 - SIDE, 31 - SIDE // 2, 0]


def test_classes_take_turns() -> None:
    found = [(None, name, None) for name in ("pit", "pit", "pit", "crack")]
    assert [each[1] for each in in_turns(found, 3)] == ["pit", "crack", "pit"]
