import numpy as np
import pytest

from scenes.camera.line_scan import column_gains, column_offsets, jittered


def test_gains_are_about_one_and_offsets_about_nothing() -> None:
    gains, offsets = column_gains(40000, 0.1, 3), column_offsets(40000, 0.1, 3)
    assert gains.mean() == pytest.approx(1, abs=0.002)
    assert offsets.mean() == pytest.approx(0, abs=0.002)
    assert gains.std() == pytest.approx(0.1, rel=0.02)
    assert offsets.std() == pytest.approx(0.1, rel=0.02)
    assert column_gains(40000, 1.0, 3).min() == 0


def test_jitter_shifts_whole_rows_by_normal_numbers() -> None:
    """A ramp tells each row's shift: between pixels it is interpolated exactly."""
    ramp = np.arange(200, dtype=np.float32)[None, :, None].repeat(4000, 0)
    shifts = ramp - jittered(ramp, 0.7, 9)
    inside = shifts[:, 5:-5, 0]
    assert np.allclose(inside, inside[:, :1], atol=1e-4)
    assert inside[:, 0].mean() == pytest.approx(0, abs=0.05)
    assert inside[:, 0].std() == pytest.approx(0.7, rel=0.05)
    assert jittered(ramp, 0.0, 9) is ramp


def test_a_picture_of_one_column_has_nowhere_to_go() -> None:
    column = np.arange(6, dtype=np.float32).reshape(6, 1, 1)
    assert (jittered(column, 1.0, 2) == column).all()
