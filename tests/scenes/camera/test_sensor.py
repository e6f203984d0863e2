import numpy as np
import pytest
from scipy import stats

from scenes import develop
from scenes.camera.sensor import (
    MANY,
    blurred,
    linearised,
    poisson_quantile,
    quantised,
    relative_illumination,
    transferred,
    with_noise,
)
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


def test_vignetting_is_nothing_at_the_centre_and_whole_in_the_corners() -> None:
    shade = relative_illumination(41, 61, 0.3)
    assert shade[20, 30] == pytest.approx(1)
    assert shade[[0, 0, -1, -1], [0, -1, 0, -1]] == pytest.approx(np.full(4, 0.7))
    # cos⁴ along the diagonal: half way out the tangent is half as large.
    tangent = np.sqrt(0.7**-0.5 - 1)
    assert shade[10, 15] == pytest.approx(np.cos(np.arctan(tangent / 2)) ** 4, rel=1e-5)
    assert (relative_illumination(8, 8, 0.0) == 1).all()


def test_blur_loses_no_light_and_spreads_a_point_by_its_deviation() -> None:
    image = np.zeros((61, 61, 3), dtype=np.float32)
    image[30, 30] = image[0, 60] = 1
    soft = blurred(image, 2.0)
    assert soft.sum(axis=(0, 1)) == pytest.approx(image.sum(axis=(0, 1)), rel=1e-5)
    spot = soft[15:46, 15:46, 0] / soft[15:46, 15:46, 0].sum()
    x = np.arange(-15, 16)
    assert (spot.sum(axis=0) * x**2).sum() == pytest.approx(4.0, rel=0.01)


def test_blur_comes_before_noise() -> None:
    """Neighbouring pixels of a blurred flat field are independent: the lens does not smooth electrons."""
    flat = np.full((300, 300, 3), 0.5, dtype=np.float32)
    picture = develop(flat, Sensor(exposure=1, blur=2, full_well=500, transfer="linear", bits=16)).astype(float)[..., 0]
    picture -= picture.mean()
    assert abs((picture[:, 1:] * picture[:, :-1]).mean() / picture.var()) < 0.02


def test_saturation_comes_after_noise() -> None:
    bright = np.full((50, 50, 3), 1e30, dtype=np.float32)
    assert (develop(bright, Sensor(exposure=1, full_well=1000, read_noise=5)) == 255).all()
    dark = np.zeros((50, 50, 3), dtype=np.float32)
    assert develop(dark, Sensor(exposure=1, full_well=1000, read_noise=5)).min() == 0


@pytest.mark.parametrize(("fraction", "stored"), [(0.0, 0), (0.0031308, 10), (0.215861, 128), (0.5, 188), (1.0, 255)])
def test_srgb_transfer_matches_the_standard(fraction: float, stored: int) -> None:
    values = np.array([[fraction]], dtype=np.float32)
    assert quantised(transferred(values, "srgb"), 8) == stored


def test_without_noise_a_linear_16_bit_sensor_counts_light() -> None:
    radiance = np.linspace(0, 2, 256, dtype=np.float32).reshape(16, 16, 1).repeat(3, axis=2)
    picture = develop(radiance, Sensor(exposure=0.5, transfer="linear", bits=16))
    assert picture.dtype == np.uint16
    assert np.abs(picture - radiance * 0.5 * 65535).max() <= 0.51


def test_monochrome_sensor_gives_one_channel_of_luminance() -> None:
    green = np.zeros((4, 5, 3), dtype=np.float32)
    green[..., 1] = 1
    picture = develop(green, Sensor(exposure=1, transfer="linear", monochrome=True))
    assert picture.shape == (4, 5)
    assert (picture == round(0.7152 * 255)).all()


def test_same_seed_same_picture_other_seed_another() -> None:
    flat = np.full((20, 20, 3), 0.5, dtype=np.float32)
    first, again, other = (develop(flat, Sensor(exposure=1, full_well=900, seed=seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.zeros((4, 4, 4)), np.full((4, 4, 3), np.nan)])
def test_other_shapes_and_nan_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="found"):
        develop(image.astype(np.float32), Sensor(exposure=1))


def test_linearised_is_the_inverse_of_transferred():
    fractions = np.linspace(0, 1, 1001, dtype=np.float32)
    for transfer in ("linear", "srgb"):
        assert np.allclose(linearised(transferred(fractions, transfer), transfer), fractions, atol=1e-6)
