"""Inclusions are ragged ellipses: their areas, their outlines and their darkness follow from their numbers."""

import numpy as np
import pytest

from procgen.defects.inclusions import Inclusion
from procgen.errors import BlemishError
from procgen.surface.anchor import Anchor
from procgen.surface.layer import FinishSample, SurfacePoints, stack

ANCHOR = Anchor((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
SIDE, COUNT = 0.02, 400


def grid() -> np.ndarray:
    x = (np.arange(COUNT) + 0.5) / COUNT * SIDE - SIDE / 2
    return np.column_stack([*(axis.ravel() for axis in np.meshgrid(x, x)), np.zeros(COUNT**2)])


def test_without_raggedness_it_is_an_ellipse() -> None:
    sample = Inclusion(ANCHOR, "inclusion", length=0.012, width=0.004, ragged=0, softness=0, speckle=0).evaluate(grid())
    x, y, _ = grid().T
    assert (sample.inside == ((x / 0.006) ** 2 + (y / 0.002) ** 2 <= 1)).all()
    assert np.allclose(sample.reflectance[sample.inside], -0.1)
    assert not sample.reflectance[~sample.inside].any()


def test_a_soft_edge_is_half_covered_where_the_mask_ends() -> None:
    sample = Inclusion(ANCHOR, "patch", length=0.01, width=0.01, ragged=0, softness=0.002, speckle=0).evaluate(grid())
    distance = np.hypot(*grid()[:, :2].T)
    assert (sample.inside == (distance <= 0.005)).mean() > 0.9999
    cover = np.clip((0.005 - distance) / 0.002 + 0.5, 0, 1)
    assert np.allclose(sample.reflectance, -0.1 * cover, atol=1e-6)


def test_a_ragged_edge_wanders_about_the_ellipse_and_keeps_its_area() -> None:
    areas = []
    for seed in range(12):
        ragged = Inclusion(
            ANCHOR, "patch", length=0.01, width=0.008, ragged=0.2, ragged_size=2e-3, softness=0, seed=seed
        )
        areas.append(ragged.evaluate(grid()).inside.mean() * SIDE**2)
    assert np.std(areas) > 0
    # Of a radius r(1 + ξ) with deviation .2, the mean of r² is 1.04 times as large.
    assert np.mean(areas) == pytest.approx(1.04 * np.pi * 0.005 * 0.004, rel=0.1)


def test_specks_differ_by_as_much_as_they_say() -> None:
    sample = Inclusion(
        ANCHOR, "patch", length=0.018, width=0.018, ragged=0, softness=0, speckle=0.2, speckle_size=2e-4, seed=3
    ).evaluate(grid())
    darkness = sample.reflectance[sample.inside]
    assert darkness.mean() == pytest.approx(-0.1, rel=0.03)
    assert darkness.std() == pytest.approx(0.02, rel=0.15)


def test_what_is_opaque_hides_what_is_below_with_its_own_reflectance_and_roughness() -> None:
    shape = {"length": 0.01, "width": 0.01, "ragged": 0, "softness": 0, "speckle": 0, "reflectance_change": 0.0}
    patch = Inclusion(ANCHOR, "patch", opacity=0.8, reflectance=0.05, roughness=0.6, **shape)  # type: ignore[arg-type]
    zeros, colour = np.zeros(COUNT**2, np.float32), np.full((COUNT**2, 3), [0.4, 0.3, 0.2], np.float32)
    bare = FinishSample(zeros, colour, zeros + np.float32(0.2), zeros)
    maps = stack(SurfacePoints.of(grid()), bare, [patch], {"patch": 0})
    covered = maps.defects > 0
    assert covered.mean() == pytest.approx(np.pi * 0.005**2 / SIDE**2, rel=0.01)
    assert np.allclose(maps.base_colour[covered], 0.2 * np.array([0.4, 0.3, 0.2]) + 0.8 * 0.05, atol=1e-6)
    assert np.allclose(maps.roughness[covered], 0.2 * 0.2 + 0.8 * 0.6, atol=1e-6)
    assert np.allclose(maps.base_colour[~covered], [0.4, 0.3, 0.2])


def test_a_point_knows_nothing_of_the_others() -> None:
    inclusion = Inclusion(ANCHOR, "inclusion", length=0.012, width=0.004, seed=5)
    some = np.random.default_rng(1).permutation(COUNT**2)[:500]
    assert np.array_equal(inclusion.evaluate(grid()[some]).reflectance, inclusion.evaluate(grid()).reflectance[some])


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(BlemishError, match="inclusion: found length"):
        Inclusion(ANCHOR, "inclusion", length=0, width=1e-3)
    with pytest.raises(BlemishError, match=r"patch: found opacity = 1\.5; expected"):
        Inclusion(ANCHOR, "patch", length=1e-3, width=1e-3, opacity=1.5)
    with pytest.raises(BlemishError, match="patch: found ragged"):
        Inclusion(ANCHOR, "patch", length=1e-3, width=1e-3, ragged=-1)
