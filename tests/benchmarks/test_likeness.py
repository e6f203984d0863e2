import numpy as np
import pytest

from benchmarks.likeness import FIGURES, figures


def measured(grey: np.ndarray) -> dict[str, float]:
    picture = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    return dict(zip(FIGURES, figures(picture), strict=True))


def test_noise_has_its_deviation_and_no_likeness_of_neighbours() -> None:
    """A Gaussian of 4 pixels leaves noise all but 1/(16π) of its variance, and neighbours as good as nothing."""
    found = measured(np.clip(np.random.default_rng(1).normal(120, 10, (300, 300)), 0, 255))
    assert found["median"] == pytest.approx(120, abs=1)
    assert found["fine deviation"] == pytest.approx(10, rel=0.03)
    assert abs(found["alike in rows"]) < 0.03
    assert abs(found["alike in columns"]) < 0.03
    assert found["saturation"] == 0


def test_streaks_are_alike_along_themselves_alone() -> None:
    streaks = np.broadcast_to(np.random.default_rng(2).normal(120, 10, 300), (200, 300))
    found = measured(np.clip(streaks, 0, 255))
    assert found["alike in columns"] == pytest.approx(1, abs=0.01)
    assert abs(found["alike in rows"]) < 0.15


def test_stripes_are_counted() -> None:
    """Black and white in turns of 10 pixels: half are dark, and a row of 200 crosses 19 edges between 199 pairs."""
    stripes = np.broadcast_to((np.arange(200) // 10 % 2) * 255, (50, 200))
    found = measured(stripes)
    assert found["dark share"] == 0.5
    assert found["edges"] == pytest.approx(100 * 19 / 199)


def test_saturation_is_that_of_the_colour() -> None:
    picture = np.broadcast_to(np.array([200, 150, 100], dtype=np.uint8), (20, 20, 3))
    assert dict(zip(FIGURES, figures(picture), strict=True))["saturation"] == pytest.approx(127, abs=1)
