"""Figures of surfaces, against textures whose figures are known."""

import numpy as np
import pytest

from scenes.gallery.finish_statistics import finish_statistics, texture_statistics


@pytest.mark.parametrize("turned", [False, True])
def test_a_brushed_texture_tells_its_lay_ratio(turned):
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(0).standard_normal((300, 300))
    brushed = gaussian_filter(noise, (1.5, 12) if not turned else (12, 1.5))
    found = texture_statistics(brushed)
    assert found.lay_ratio == pytest.approx(8, rel=0.3)
    assert found.coherence > 0.8
    isotropic = texture_statistics(gaussian_filter(noise, 2))
    assert isotropic.lay_ratio == pytest.approx(1, abs=0.25)
    assert isotropic.coherence < 0.35


def test_white_noise_and_its_blur_say_what_they_are():
    from scipy.ndimage import gaussian_filter

    noise = 0.5 + 0.05 * np.random.default_rng(1).standard_normal((256, 256))
    found = finish_statistics(noise)
    assert found.brightness == pytest.approx(0.5, abs=0.002)
    assert found.grain == pytest.approx(0.05, rel=0.03)
    assert found.texture == pytest.approx(0.05, rel=0.03)
    assert found.spread == pytest.approx(2 * 1.645 * 0.05, rel=0.03)
    assert abs(found.neighbours) < 0.02
    blurred = finish_statistics(gaussian_filter(noise, 2))
    assert blurred.neighbours == pytest.approx(np.exp(-1 / 16), abs=0.02)  # of a Gaussian of √2 · 2 pixels
    assert blurred.grain < 0.1 * found.grain


def test_a_ramp_is_uneven_and_has_no_grain():
    found = finish_statistics(np.tile(np.linspace(0.2, 0.8, 200), (100, 1)))
    assert found.grain < 1e-6
    assert found.unevenness > 0.1


def test_a_constant_picture_has_figures_too():
    found = finish_statistics(np.full((40, 50), 0.25))
    assert (found.brightness, found.texture, found.neighbours, found.lay_ratio) == (0.25, 0.0, 0.0, 1.0)
