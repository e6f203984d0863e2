"""Oil films against other ways to compute what a film reflects."""

from dataclasses import replace

import numpy as np
import pytest

from procgen.errors import BlemishError
from procgen.impurities.oil import METALS, OIL_INDEX, OilFilm, airy_reflectance, film_colour
from procgen.surface.anchor import Anchor

FLAT = Anchor((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
FILM = OilFilm(FLAT, 0.008, thickness=6e-7, seed=3)
STEP = 1e-4


def points(side=0.03):
    along = np.arange(-side / 2, side / 2, STEP) + STEP / 2
    y, x = np.meshgrid(along, along, indexing="ij")
    return np.stack([x, y, 0 * x], -1).reshape(-1, 3)


def by_characteristic_matrix(wavelength, thickness, film, substrate):
    """Born and Wolf, Principles of Optics, 1.6: continuity of the fields, with no series of reflections."""
    phase = 2 * np.pi * film * thickness / wavelength
    matrix = np.array([[np.cos(phase), -1j * np.sin(phase) / film], [-1j * np.sin(phase) * film, np.cos(phase)]])
    electric, magnetic = matrix @ np.array([1.0, substrate])
    return abs((electric - magnetic) / (electric + magnetic)) ** 2


@pytest.mark.parametrize("substrate", [METALS["iron"][1], METALS["aluminium"][0], 1.52, 1.2])
def test_airy_reflectance_is_that_of_the_characteristic_matrix(substrate):
    rng = np.random.default_rng(0)
    wavelength, thickness = rng.uniform(380e-9, 700e-9, 50), rng.uniform(0, 3e-6, 50)
    expected = [
        by_characteristic_matrix(w, t, OIL_INDEX, substrate) for w, t in zip(wavelength, thickness, strict=True)
    ]
    np.testing.assert_allclose(airy_reflectance(wavelength, thickness, OIL_INDEX, substrate), expected, rtol=1e-10)


def test_no_film_reflects_as_fresnel_says_and_a_half_wave_film_as_none():
    index = METALS["copper"][1]
    bare = abs((1 - index) / (1 + index)) ** 2
    assert airy_reflectance(550e-9, 0.0, OIL_INDEX, index) == pytest.approx(bare, rel=1e-12)
    assert airy_reflectance(550e-9, 550e-9 / (2 * OIL_INDEX), OIL_INDEX, index) == pytest.approx(bare, rel=1e-12)


def test_evaluated_colour_is_the_band_average_of_airy():
    sample = FILM.evaluate(points())
    chosen = np.flatnonzero(sample.inside)[::500]
    thickness = FILM.thickness_at(points()[chosen, :2])
    expected = film_colour(thickness) - film_colour(np.zeros(1))
    np.testing.assert_allclose(sample.reflectance[chosen], expected, atol=2e-4)
    assert np.ptp(expected, axis=0).min() > 0.15


@pytest.mark.parametrize("metal", METALS)
def test_colours_follow_each_other_in_newtons_order(metal):
    """As the film thickens every band darkens and brightens in turn, blue first, green next and red last."""
    thickness = np.arange(0.0, 8e-7, 2e-9)
    colours = film_colour(thickness, metal)
    dips = [np.flatnonzero(np.diff(np.sign(np.diff(band))) > 0) for band in colours.T]
    for order in range(2):
        assert dips[2][order] < dips[1][order] < dips[0][order]


def test_contrast_fades_with_thickness_because_bands_are_broad():
    colours = film_colour(np.arange(0.0, 4e-6, 2e-9))
    assert np.ptp(colours[:300], axis=0).min() > 5 * np.ptp(colours[-300:], axis=0).max()


def test_film_thins_out_to_nothing_at_its_edge_and_leaves_the_rest_alone():
    sample, thickness = FILM.evaluate(points()), FILM.thickness_at(points()[:, :2])
    np.testing.assert_array_equal(sample.inside, thickness > 0)
    for field in ("reflectance", "roughness", "opacity", "height", "instance"):
        assert not getattr(sample, field)[~sample.inside].any()
    inside = sample.inside.reshape(300, 300)
    edge = inside[1:-1, 1:-1] & ~(inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:])
    assert np.median(thickness.reshape(300, 300)[1:-1, 1:-1][edge]) < 0.05 * FILM.thickness
    assert sample.inside.sum() * STEP**2 == pytest.approx(np.pi * 0.008**2, rel=0.5)


def test_a_point_is_told_the_same_whoever_else_is_asked():
    chosen = np.random.default_rng(0).permutation(len(points()))[:500]
    whole, part = FILM.evaluate(points()), FILM.evaluate(points()[chosen])
    for field in ("inside", "instance", "reflectance", "roughness"):
        np.testing.assert_array_equal(getattr(whole, field)[chosen], getattr(part, field))


@pytest.mark.parametrize("changes", [{"radius": 0.0}, {"thickness": -1e-9}, {"elongation": 0.0}, {"unevenness": 2.0}])
def test_parameters_out_of_range_are_refused(changes):
    with pytest.raises(BlemishError, match="oil film: found"):
        replace(FILM, **changes)
