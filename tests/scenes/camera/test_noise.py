import numpy as np
import pytest
from scipy import stats

from scenes.camera.noise import MANY, poisson_quantile, with_noise
from scenes.scene import Sensor


def test_shot_noise_has_the_variance_of_photo_electrons() -> None:
    """Mean μ electrons have variance μ; read noise adds its own square."""
    level, full_well, read_noise = 0.25, 4000, 20
    flat = np.full((400, 400, 1), level, dtype=np.float32)
    noisy = with_noise(flat, Sensor(exposure=1, full_well=full_well, read_noise=read_noise, seed=3)) * full_well
    expected = level * full_well + read_noise**2
    assert noisy.mean() == pytest.approx(level * full_well, abs=5 * np.sqrt(expected / flat.size))
    assert noisy.var() == pytest.approx(expected, rel=5 * np.sqrt(2 / flat.size))


@pytest.mark.parametrize("mean", [0.0, 0.02, 0.7, 6.0, 29.0, 31.0, 5000.0])
def test_photo_electrons_are_poisson_numbers(mean: float) -> None:
    shares = (np.arange(20000) + 0.5) / 20000
    counts = poisson_quantile(stats.norm.ppf(shares), np.full(20000, mean))
    expected = stats.poisson.ppf(shares, mean) if mean else np.zeros(20000)
    assert np.abs(counts - expected).max() <= (mean > MANY)  # a rounding apart, now and then
    assert np.mean(counts != expected) < 0.02


def test_noise_of_a_pixel_knows_nothing_of_the_others() -> None:
    light = np.random.default_rng(1).uniform(0, 1, (40, 50, 3)).astype(np.float32)
    darker = light.copy()
    darker[10:20, 5:15] *= 0.3
    sensor = Sensor(exposure=1, full_well=300, read_noise=4, seed=8)
    differs = (with_noise(light, sensor) != with_noise(darker, sensor)).any(axis=-1)
    assert differs[10:20, 5:15].mean() > 0.9
    differs[10:20, 5:15] = False
    assert not differs.any()
