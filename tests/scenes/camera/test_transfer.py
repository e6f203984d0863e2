import numpy as np
import pytest

from scenes.camera.transfer import linearised, quantised, transferred


@pytest.mark.parametrize(("fraction", "stored"), [(0.0, 0), (0.0031308, 10), (0.215861, 128), (0.5, 188), (1.0, 255)])
def test_srgb_transfer_matches_the_standard(fraction: float, stored: int) -> None:
    values = np.array([[fraction]], dtype=np.float32)
    assert quantised(transferred(values, "srgb"), 8) == stored


def test_linearised_is_the_inverse_of_transferred():
    fractions = np.linspace(0, 1, 1001, dtype=np.float32)
    for transfer in ("linear", "srgb"):
        assert np.allclose(linearised(transferred(fractions, transfer), transfer), fractions, atol=1e-6)
