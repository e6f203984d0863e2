import numpy as np
import pytest

from scenes.camera.optics import blurred, dirt_transmission, relative_illumination
from scenes.scene import LensSpot


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


def test_a_spot_of_dirt_takes_its_share_and_overlapping_ones_take_theirs_of_what_is_left() -> None:
    spot = LensSpot(x=0.405, y=0.205, radius=0.1, opacity=0.4)  # the middle of pixel (20, 40) of 100 columns
    through = dirt_transmission(60, 100, (spot,))
    assert through[20, 40] == pytest.approx(0.6)
    assert through[20, 50] == through[30, 40] == pytest.approx(1 - 0.4 * np.exp(-0.5))
    assert through[59, 99] == pytest.approx(1, abs=1e-6)
    # The light that a whole spot takes is that under a Gaussian.
    assert (1 - dirt_transmission(300, 100, (spot.model_copy(update={"y": 1.5, "x": 0.5}),))).sum() == pytest.approx(
        0.4 * 2 * np.pi * 10**2, rel=1e-4
    )
    assert np.allclose(dirt_transmission(60, 100, (spot, spot)), through**2, atol=1e-6)
