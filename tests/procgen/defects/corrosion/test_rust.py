"""Rust: the equation in its known limits, Kubelka-Munk layers against each other, growth without healing, colour."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2lab

from procgen.defects.corrosion.rust import (
    ABSORPTION,
    CUT_OFF,
    DAY,
    SCATTERING,
    STEP,
    Rust,
    RustField,
    RustParameters,
    kubelka_munk,
    simulate_rust,
    spread,
)
from procgen.errors import BlemishError
from procgen.surface.layer import LayerSample

PARAMETERS = RustParameters(spots=6e4, front_speed=1e-3 / DAY, front_width=2e-4)
SIZE = (0.02, 0.015)


def flat(chart):
    return np.column_stack([chart, np.zeros(len(chart))])


def plane(positions):
    return positions[:, :2]


def simulated(seed, time=3 * DAY, **changes):
    return simulate_rust(replace(PARAMETERS, **changes), SIZE, time, np.random.default_rng(seed))


SHEEN = 0.04  # what a dielectric reflects from its surface, before light gets in: photographs see it, albedo lacks it


def srgb(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055)


def front_position(cover, spacing):
    ahead = np.flatnonzero(cover > 0.5)[-1]
    return spacing * (ahead + (cover[ahead] - 0.5) / (cover[ahead] - cover[ahead + 1]))


@pytest.mark.parametrize("spacing", [0.5, 1.0])
def test_fronts_are_as_fast_as_brunet_and_derrida_have_it(spacing):
    """v = 2√(rD)(1 - π²/2ln²ε); lengths in √(D/r), times in 1/r, as the simulation chooses its grid and its step."""
    cover = np.zeros((2, int(220 / spacing)))
    cover[:, : int(20 / spacing)] = 1.0
    positions = []
    for _ in range(int(90 / STEP)):
        cover = spread(cover, 1.0, 1.0, (spacing, spacing), STEP)
        positions.append(front_position(cover[0], spacing))
    late = len(positions) // 2
    speed = np.polyfit(STEP * np.arange(late, len(positions)), positions[late:], 1)[0]
    assert speed == pytest.approx(2 - np.pi**2 / np.log(CUT_OFF) ** 2, rel=0.03)


def test_without_diffusion_every_cell_is_the_logistic_function():
    start, rate, time = np.array([[0.001, 0.2, 0.9], [0.5, 1.0, 0.0]]), np.array([[1.0], [2.0]]), 3.0
    cover = start
    for _ in range(6):
        cover = spread(cover, rate, 0.0, (1.0, 1.0), time / 6)
    with np.errstate(divide="ignore"):
        expected = 1 / (1 + (1 / start - 1) * np.exp(-rate * time))
    np.testing.assert_allclose(cover, expected, rtol=1e-10)


def test_without_reaction_waves_decay_by_the_heat_equation():
    rows, columns, (dv, du) = 40, 30, (0.1, 0.2)
    v, u = (np.arange(rows) + 0.5) * dv, (np.arange(columns) + 0.5) * du
    wave = np.outer(np.cos(2 * np.pi * v / (rows * dv)), np.cos(3 * np.pi * u / (columns * du)))
    cover = spread(0.5 + 0.4 * wave, 0.0, 0.3, (dv, du), 0.25)
    rate = 0.3 * np.pi**2 * ((2 / (rows * dv)) ** 2 + (3 / (columns * du)) ** 2)
    np.testing.assert_allclose(cover, 0.5 + 0.4 * np.exp(-0.25 * rate) * wave, atol=1e-12)


@settings(max_examples=12)
@given(seed=st.integers(0, 2**31), patchiness=st.floats(0, 1.5), ragged=st.floats(0, 1.5))
def test_rust_only_ever_grows(seed, patchiness, ragged):
    points = flat(np.random.default_rng(seed).uniform(0, SIZE, (3000, 2)))
    before = None
    for time in (0.0, 0.6 * DAY, DAY, 1.01 * DAY, 3 * DAY):
        field = simulated(seed, time, patchiness=patchiness, patch_size=1e-3)
        sample = Rust(field, plane, ragged=ragged, seed=seed % 1000).evaluate(points)
        assert field.cover.min() >= 0
        assert field.cover.max() <= 1
        if time == 0:
            assert not sample.inside.any()
        if before is not None:
            assert (field.cover >= before[0].cover).all()
            assert (field.dose >= before[0].dose).all()
            assert sample.inside[before[1].inside].all()
        before = field, sample
    assert before[1].inside.any()


def test_cells_are_interpolated_by_b_splines():
    """At a point a quarter of a cell beyond a single full cell, the product of the basis functions, written out."""
    cover = np.zeros((9, 9))
    cover[4, 4] = 1.0
    field = RustField((0.9, 0.9), cover, cover, np.ones((9, 9), dtype=np.int64))

    def basis(x):
        x = abs(x)
        return 2 / 3 - x**2 + x**3 / 2 if x < 1 else (2 - x) ** 3 / 6 if x < 2 else 0.0

    for du, dv in [(0, 0), (0.25, 0), (0.25, -0.5), (1.5, 0.75), (2, 0)]:
        value = field.cover_at(np.array([[0.45 + 0.1 * du, 0.45 + 0.1 * dv]]))[0]
        assert value == pytest.approx(basis(du) * basis(dv), abs=1e-12)


@given(st.floats(1e-7, 1e-3), st.floats(0, 1), st.floats(0.01, 10), st.floats(0.05, 0.95))
def test_a_layer_is_its_two_halves_on_top_of_each_other(thickness, split, ratio, background):
    """[Kubelka 1948]: R = R₁ + T₁²R₂ / (1 - R₁R₂), whatever lies below."""
    absorption = ratio * SCATTERING
    whole, _ = kubelka_munk(thickness, SCATTERING, absorption, background)
    lower, _ = kubelka_munk((1 - split) * thickness, SCATTERING, absorption, background)
    alone, through = kubelka_munk(split * thickness, SCATTERING, absorption, 0.0)
    assert whole == pytest.approx(alone + through**2 * lower / (1 - alone * lower), rel=1e-9)


def test_no_layer_is_the_metal_and_a_thick_one_its_own_colour():
    ratio = ABSORPTION / SCATTERING
    own = 1 + ratio - np.sqrt(ratio**2 + 2 * ratio)
    np.testing.assert_allclose(kubelka_munk(0.0, SCATTERING, ABSORPTION, 0.5)[0], 0.5)
    np.testing.assert_allclose(kubelka_munk(1.0, SCATTERING, ABSORPTION, 0.5)[0], own)
    lightness, a, b = rgb2lab(srgb(own + SHEEN))
    assert 46 <= lightness <= 57
    assert 9 <= a <= 11
    assert 14 <= b <= 19


def test_flaking_rust_has_the_colour_of_photographed_rust():
    """CIE Lab (46 to 57, 9 to 11, 14 to 19) on photographs of rusting bolts; the mean over light and dark patches."""
    field = RustField(SIZE, np.ones((30, 40)), np.full((30, 40), 60 * DAY), np.ones((30, 40), dtype=np.int64))
    points = flat(np.random.default_rng(0).uniform(0, SIZE, (20_000, 2)))
    sample = Rust(field, plane, mottle=0.5).evaluate(points)
    assert sample.inside.all()
    assert np.median(sample.opacity) > 0.95
    lightness, a, b = np.median(rgb2lab(srgb(sample.reflectance.astype(float)[None] + SHEEN))[0], axis=0)
    assert 46 <= lightness <= 57
    assert 8 <= a <= 12
    assert 14 <= b <= 20
    assert np.median(sample.roughness) > 0.85


def test_rust_goes_from_a_film_through_which_metal_shows_to_flakes_that_hide_it():
    points = flat(np.random.default_rng(0).uniform(0, SIZE, (4000, 2)))
    looks = []
    for days in (0.002, 0.1, 1, 10, 100):
        dose = np.full((30, 40), days * DAY)
        field = RustField(SIZE, np.ones((30, 40)), dose, np.ones((30, 40), dtype=np.int64))
        sample = Rust(field, plane, mottle=0.3).evaluate(points)
        looks.append([sample.opacity.mean(), sample.roughness.mean(), sample.height.std()])
    assert (np.diff(looks, axis=0) >= 0).all()
    assert looks[0][0] < 0.25
    assert looks[-1][0] > 0.98


def test_a_film_on_metal_changes_colour_without_a_jump_at_the_outline():
    field = simulated(3)
    points = flat(np.random.default_rng(1).uniform(0, SIZE, (60_000, 2)))
    sample = Rust(field, plane, ragged=0.0).evaluate(points)
    outline = sample.inside & (field.cover_at(points[:, :2]) < 0.101)
    assert outline.sum() > 10
    assert sample.opacity[outline].max() < 0.05
    assert np.abs(sample.reflectance[outline]).max() < 0.05


def test_an_instance_is_a_patch_and_keeps_its_number():
    early, late = simulated(4, DAY), simulated(4, 3 * DAY)
    rusty = early.cover > 0.1
    assert (late.spots[rusty] <= early.spots[rusty]).all()
    assert 1 < len(np.unique(early.spots[rusty])) <= 18


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), keep=st.integers(1, 500))
def test_a_point_is_told_the_same_whoever_else_is_asked(seed, keep):
    layer = Rust(simulated(seed % 5), plane, seed=seed)
    rng = np.random.default_rng(seed)
    points = flat(rng.uniform((-0.002, -0.002), (0.022, 0.017), (500, 2)))
    chosen = rng.permutation(500)[:keep]
    whole, part = layer.evaluate(points), layer.evaluate(points[chosen])
    for field in fields(LayerSample):
        np.testing.assert_array_equal(getattr(whole, field.name)[chosen], getattr(part, field.name))
    assert not whole.reflectance[~whole.inside].any()
    assert not whole.opacity[~whole.inside].any()
    assert (whole.instance > 0).tolist() == whole.inside.tolist()


def test_what_is_not_on_the_chart_does_not_rust():
    field = RustField(SIZE, np.ones((30, 40)), np.full((30, 40), DAY), np.ones((30, 40), dtype=np.int64))
    points = flat(np.random.default_rng(0).uniform(0, SIZE, (10, 2)))
    half = np.arange(10) % 2 == 0
    sample = Rust(field, lambda positions: np.where(half[:, None], positions[:, :2], np.nan)).evaluate(points)
    np.testing.assert_array_equal(sample.inside, half)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"front_speed": 0.0}, "front_speed = 0; expected a finite number, positive"),
        ({"spots": -1.0}, "spots = -1"),
        ({"patch_size": float("nan")}, "patch_size = nan"),
        ({"spots": 1e9}, "expected at most 100000: lower their number"),
        ({"front_speed": 1.0}, "expected at most 1000 widths: shorten the time or widen the front"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        simulated(0, **changes)
