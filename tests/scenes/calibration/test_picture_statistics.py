"""Statistics of pictures whose noise, blur, light and colour are known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.stats import norm

from scenes.calibration.picture_statistics import SAID, is_colour, picture_statistics

SHAPE = (200, 240)
RNG = np.random.default_rng(0)


def picture(values: NDArray) -> NDArray[np.uint8]:
    return np.clip(np.rint(255 * values), 0, 255).astype(np.uint8)


def test_of_white_noise() -> None:
    found = picture_statistics(picture(RNG.normal(0.5, 0.08, SHAPE)), colour=False)
    assert found["brightness:0.5"] == pytest.approx(0.5, abs=0.005)
    assert found["brightness:0.95"] == pytest.approx(norm.ppf(0.95, 0.5, 0.08), abs=0.005)
    assert np.exp(found["noise:dark"]) == pytest.approx(0.08, rel=0.06)
    assert np.exp(found["noise:bright"]) == pytest.approx(0.08, rel=0.06)
    for name in ("lag:across 1", "lag:along 1", "lag:along 4"):
        assert found[name] == pytest.approx(0, abs=0.03)
    # Of white noise each band holds the share of the spectrum's plane that it covers: π/4·(1/2² − 1/2.83²)·4 of all.
    share = np.pi * (1 / 2**2 - 1 / 2.83**2)
    total = np.exp(2 * found["band:across 2"]) + np.exp(2 * found["band:along 2"])
    assert total == pytest.approx(0.08**2 * share, rel=0.08)


def test_noise_is_told_from_specks_and_from_what_is_coarser() -> None:
    level = np.tile(np.linspace(0.2, 0.8, SHAPE[1]), (SHAPE[0], 1))
    deviation = 0.04 * np.sqrt(level)  # photons
    cloud = gaussian_filter(RNG.standard_normal(SHAPE), 1.5)
    specks = 0.5 * (RNG.random(SHAPE) < 0.005)
    found = picture_statistics(
        picture(level + 0.03 * cloud / cloud.std() - specks + deviation * RNG.standard_normal(SHAPE)), colour=False
    )
    for name, middle in (("dark", 0.3), ("bright", 0.7)):
        expected = 0.04 * np.sqrt(middle)
        assert np.exp(found[f"noise:finest {name}"]) == pytest.approx(expected, rel=0.12)
        assert np.exp(found[f"noise:{name}"]) > 1.2 * expected


def test_blur_shows_as_correlation_of_neighbours() -> None:
    deviation = 1.2
    noise = gaussian_filter(RNG.standard_normal(SHAPE), deviation)
    found = picture_statistics(picture(0.5 + 0.1 * noise / noise.std()), colour=False)
    assert found["lag:across 1"] == pytest.approx(np.exp(-1 / (4 * deviation**2)), abs=0.06)


@pytest.mark.parametrize("turned", [False, True])
def test_a_lay_is_found_whichever_way_it_runs(turned: bool) -> None:
    marks = gaussian_filter1d(RNG.standard_normal(SHAPE), 12, axis=0)
    grey = picture(0.5 + 0.1 * marks / marks.std())
    found = picture_statistics(grey.T if turned else grey, colour=False)
    assert found["lag:along 4"] > 0.9 > found["lag:across 1"]
    assert found["profile:columns"] > found["profile:rows"] + 1


def test_light_is_told_from_texture() -> None:
    place = np.linspace(-1, 1, SHAPE[1])
    grey = picture(np.tile(0.5 * (1 + 0.2 * place), (SHAPE[0], 1)) + RNG.normal(0, 0.02, SHAPE))
    found = picture_statistics(grey, colour=False)
    slopes = {found["light:slope along"], found["light:slope across"]}
    assert max(slopes) == pytest.approx(0.2 * 7 / 8, rel=0.2)  # the outer cells' middles lie at 7/8
    assert min(slopes) < 0.02


def test_colours() -> None:
    tinted = picture(np.dstack([np.full(SHAPE, level) for level in (0.6, 0.4, 0.2)]) + RNG.normal(0, 0.01, (*SHAPE, 3)))
    found = picture_statistics(tinted, colour=True)
    assert found["colour:red"] == pytest.approx(np.log(1.5), abs=0.02)
    assert found["colour:blue"] == pytest.approx(np.log(0.5), abs=0.02)
    assert found["colour:saturation"] == pytest.approx(2 / 3, abs=0.02)
    assert np.exp(found["colour:red noise"]) == pytest.approx(0.01 * np.sqrt(2), rel=0.1)
    assert is_colour(tinted)
    assert not is_colour(np.repeat(tinted[..., :1], 3, axis=2))


@pytest.mark.parametrize("level", [0, 255])
def test_what_is_black_or_saturated_has_finite_statistics(level: int) -> None:
    found = picture_statistics(np.full(SHAPE, level, np.uint8), colour=False)
    assert np.isfinite(list(found.values())).all()
    assert {name.partition(":")[0] for name in found} <= set(SAID)


def test_depth_of_bits_changes_nothing() -> None:
    values = RNG.uniform(0.2, 0.8, SHAPE)
    deep = picture_statistics(np.rint(65535 * values).astype(np.uint16), colour=False)
    for name, value in picture_statistics(picture(values), colour=False).items():
        assert value == pytest.approx(deep[name], abs=0.02)
