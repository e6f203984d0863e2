"""The ground finish: its statistics against those of photographed ground ferrite, and that it is a solid texture."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from procgen.errors import BlemishError
from procgen.finish import GroundFinish
from procgen.surface.layer import SurfacePoints, compose

FERRITE = GroundFinish(
    lay_direction=(0.0, 1.0, 0.0),
    correlation_along=3e-3,
    correlation_across=1.5e-4,
    height_rms=2.5e-7,
    base_colour=(0.12, 0.12, 0.12),
    roughness=0.45,
    metallic=0.0,
    anisotropy=0.5,
    streaks=0.05,
    grooves=0.25,
    groove_depth=1e-6,
    grain=0.085,
    grain_size=1e-4,
    mottle=0.08,
    mottle_size=5e-3,
    roughness_streaks=0.03,
    pit_density=1.5e4,
    pit_radius=1.5e-4,
    pit_depth=2e-5,
    seed=1,
)
TEXEL = 1.5e-4  # m, about a pixel of the photographs


def grid(rows, columns, texel):
    v, u = np.meshgrid((np.arange(rows) + 0.5) * texel, (np.arange(columns) + 0.5) * texel, indexing="ij")
    return SurfacePoints.of(np.stack([u, v, 0 * u], axis=-1).reshape(-1, 3))


def picture(finish, rows=260, columns=200):
    """Brightness under a slanting light, as a camera with a little blur sees it; the lay runs down the rows."""
    points = replace(grid(rows, columns, TEXEL), shape=(rows, columns), spacing=(TEXEL, TEXEL))
    maps = compose(points, finish, [], {})
    light = np.array([0.25, 0.1, 1.0]) / np.linalg.norm([0.25, 0.1, 1.0])
    return ndimage.gaussian_filter(maps.base_colour[..., 0] * (maps.normal @ light), 0.5)


def coherence(image):
    """Of the structure tensor over the whole image, 0 for no direction and 1 for a perfect grating."""
    smooth = ndimage.gaussian_filter(image, 1.0)
    across, along = ndimage.sobel(smooth, 1), ndimage.sobel(smooth, 0)
    a, b, c = (across**2).mean(), (across * along).mean(), (along**2).mean()
    return np.hypot(a - c, 2 * b) / (a + c)


def correlation_ratio(image):
    """Lag along over lag across the lay at which the autocorrelation falls to 1/e, slow shading removed."""
    detail = image - ndimage.gaussian_filter(image, 20)
    correlation = np.fft.ifft2(np.abs(np.fft.fft2(detail)) ** 2).real
    correlation /= correlation[0, 0]
    return lag_of_decay(correlation[: len(image) // 2, 0]) / lag_of_decay(correlation[0, : image.shape[1] // 2])


def lag_of_decay(correlation):
    beyond = int(np.argmax(correlation < np.exp(-1)))
    if beyond == 0:  # some real marks run through the whole picture
        return float(len(correlation))
    fall = correlation[beyond - 1] - correlation[beyond]
    return beyond - 1 + (correlation[beyond - 1] - np.exp(-1)) / fall


@pytest.mark.parametrize("seed", range(4))
def test_ferrite_has_the_lay_of_the_real_tiles(seed):
    image = picture(replace(FERRITE, seed=seed))
    assert 0.43 <= coherence(image) <= 0.71
    assert 4.5 <= correlation_ratio(image) <= 40


def test_estimators_put_the_real_tiles_in_the_same_bands(real_data):
    from PIL import Image

    measured = []
    for path in sorted((real_data / "magnetic_tile").glob("*Free*exp1*.jpg"))[:40]:
        image = np.asarray(Image.open(path).convert("L"), dtype=float)
        rows, columns = image.shape
        middle = image[rows * 15 // 100 : rows * 85 // 100, columns // 5 : columns * 4 // 5]
        measured.append((coherence(middle), correlation_ratio(middle)))
    median_coherence, median_ratio = np.median(measured, axis=0)
    assert 0.43 <= median_coherence <= 0.71
    assert 4.5 <= median_ratio <= 40


def test_marks_have_the_correlation_lengths_asked_for():
    bare = GroundFinish((0.0, 1.0, 0.0), 2e-3, 2e-4, 1e-6, (0.5, 0.5, 0.5), 0.3)
    texel = 2e-5
    across = np.mean([lag(bare, (1, 0, 0), texel, seed) for seed in range(3)])
    along = np.mean([lag(bare, (0, 1, 0), 10 * texel, seed) for seed in range(3)])
    assert across == pytest.approx(2e-4, rel=0.15)
    assert along == pytest.approx(2e-3, rel=0.15)


def lag(finish, direction, step, seed):
    """Decay of the correlation of heights between random points and points further along a direction, in metres."""
    points = np.random.default_rng(seed).uniform(-0.05, 0.05, (20_000, 3))
    height = replace(finish, seed=seed).evaluate(points).height.astype(float)
    shifts = np.arange(0, 30, 2)
    moved = [replace(finish, seed=seed).evaluate(points + k * step * np.array(direction)).height for k in shifts]
    return lag_of_decay(np.array([np.mean(height * other) for other in moved]) / np.mean(height**2)) * 2 * step


def test_height_has_the_rms_asked_for():
    bare = GroundFinish((1.0, 0.0, 0.0), 2e-3, 2e-4, 7e-7, (0.5, 0.5, 0.5), 0.3)
    height = bare.evaluate(np.random.default_rng(0).uniform(-0.1, 0.1, (50_000, 3))).height
    assert height.std() == pytest.approx(7e-7, rel=0.05)
    assert abs(height.mean()) < 3e-8


def test_turning_part_and_lay_together_keeps_the_look():
    along_y = picture(FERRITE)
    along_x = picture(replace(FERRITE, lay_direction=(2.0, 0.0, 0.0)), rows=200, columns=260).T
    assert along_x.std() == pytest.approx(along_y.std(), rel=0.4)
    assert coherence(along_x) == pytest.approx(coherence(along_y), abs=0.15)


def test_finish_depends_on_position_alone():
    points = np.random.default_rng(2).uniform(-0.03, 0.03, (5000, 3))
    whole = FERRITE.evaluate(points)
    for count in (1, 2, 7, 1700):
        order = np.random.default_rng(count).permutation(5000)[:count]
        part = FERRITE.evaluate(points[order])
        for field in ("height", "base_colour", "roughness", "metallic"):
            np.testing.assert_array_equal(getattr(whole, field)[order], getattr(part, field))


def test_pits_have_the_density_and_depth_asked_for():
    pitted = GroundFinish(
        (1.0, 0.0, 0.0), 1e-3, 1e-4, 0.0, (0.5, 0.5, 0.5), 0.3, pit_density=1e6, pit_radius=1e-4, pit_depth=3e-5
    )
    height = pitted.evaluate(grid(1000, 1000, 2e-5)).height.reshape(1000, 1000)
    _, count = ndimage.label(height < 0)
    assert count == pytest.approx(1e6 * 0.02**2, rel=0.25)
    assert -3e-5 <= height.min() < -2.7e-5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correlation_along": 0.0}, "correlation_along = 0; expected a finite number, positive"),
        ({"height_rms": float("nan")}, "height_rms = nan"),
        ({"roughness": 1.2}, "roughness = 1.2"),
        ({"base_colour": (0.1, -0.1, 0.1)}, r"base_colour\[1\] = -0.1"),
        ({"lay_direction": (0.0, 0.0, 0.0)}, "lay_direction of length 0"),
        ({"pit_density": 1e9, "pit_radius": 1e-4}, "or they would merge"),
        ({"pit_density": 3e4, "pit_radius": 1e-320}, "or they would merge"),  # of which the square is 0
    ],
)
def test_parameters_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        replace(FERRITE, **changes)
