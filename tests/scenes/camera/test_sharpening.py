import numpy as np
import pytest

from scenes.camera.sharpening import sharpened


def test_a_wave_gains_what_a_gaussian_takes_of_it() -> None:
    """Of a wave of angular frequency k, a Gaussian of deviation σ leaves exp(-k²σ²/2)."""
    k, amount, radius = 2 * np.pi / 16, 0.8, 1.5
    wave = np.broadcast_to(0.5 + 0.1 * np.cos(k * (np.arange(160) + 0.5)), (6, 160))[..., None].astype(np.float32)
    gain = 1 + amount * (1 - np.exp(-(k**2) * radius**2 / 2))
    assert np.allclose(sharpened(wave, amount, radius) - 0.5, gain * (wave - 0.5), atol=2e-4)


def test_an_edge_overshoots_to_both_sides_by_half_its_height_at_most() -> None:
    edge = np.full((5, 80, 1), 0.4, dtype=np.float32)
    edge[:, 40:] = 0.6
    row = sharpened(edge, 1.0, 3.0)[2, :, 0]
    assert row[:40].min() == pytest.approx(0.4 - 0.1, abs=0.02)
    assert row[40:].max() == pytest.approx(0.6 + 0.1, abs=0.02)
    assert row[[0, -1]] == pytest.approx([0.4, 0.6])


def test_numbers_stay_numbers_that_can_be_stored() -> None:
    edge = np.zeros((5, 20, 3), dtype=np.float32)
    edge[:, 10:] = 1
    result = sharpened(edge, 5.0, 1.0)
    assert result.min() == 0
    assert result.max() == 1
    assert sharpened(edge, 0.0, 1.0) is edge
