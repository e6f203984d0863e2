"""Finishes of a given Ra: their profile, marks and lay against the geometry of the process that made them."""

from dataclasses import replace

import numpy as np
import pytest

from procgen.errors import BlemishError
from procgen.finish import (
    AnodisedFinish,
    AsphaltFinish,
    CastFinish,
    CeramicFinish,
    LaminateFinish,
    MilledFinish,
    PaintedFinish,
    RolledFinish,
    SandBlastedFinish,
    TurnedFinish,
)
from procgen.surface.layer import SurfacePoints, compose

GREY = {"base_colour": (0.5, 0.5, 0.5), "roughness": 0.4}
MILLED = MilledFinish(
    ra=1.6e-6, tool_diameter=0.05, teeth=5, feed_per_tooth=1.5e-4, step_over=0.035, run_out=6e-6, back_cutting=0.5,
    feed_direction=(2.0, 1.0, 0.0), contrast=0.1, anisotropy=0.5, seed=4, **GREY,
)  # fmt: skip
TURNED = TurnedFinish(ra=8e-7, feed=2.5e-4, contrast=0.1, anisotropy=0.7, **GREY)
FINISHES = {
    "anodised": AnodisedFinish(ra=4e-7, grain_size=8e-5, die_lines=0.2, **GREY),
    "asphalt": AsphaltFinish(ra=3e-4, stone_size=8e-3, contrast=0.1, **GREY),
    "cast": CastFinish(ra=1.2e-5, sand_size=4e-4, contrast=0.2, **GREY),
    "ceramic": CeramicFinish(ra=3e-7, grain_size=8e-5, speck_density=5e4, coat=1.0, **GREY),
    "laminate": LaminateFinish(ra=1e-6, warp_pitch=5.8e-4, weft_pitch=7.9e-4, **GREY),
    "milled": MILLED,
    "painted": PaintedFinish(ra=6e-7, peel_size=1.5e-3, flakes=0.1, **GREY),
    "rolled": RolledFinish(
        ra=1e-6, lay_direction=(0, 3, 0), mark_length=6e-3, mark_width=2e-4, scale_cover=0.3, mottle=0.05, **GREY
    ),
    "sand_blasted": SandBlastedFinish(ra=3.2e-6, crater_size=2e-4, contrast=0.1, **GREY),
    "turned": TURNED,
    "turned shaft": replace(TURNED, marks="helical", axis_direction=(0.0, 1.0, 0.0), axis_point=(0.0, 0.0, -0.02)),
}
EVERY_FINISH = pytest.mark.parametrize("finish", FINISHES.values(), ids=FINISHES.keys())
BARE_ROWS = 60  # of a photograph of 200, at its top or bottom, that show strip without a defect
SMOOTH = {"irregularity": 0.0, "contrast": 0.0}


def plane(count, seed=0, side=0.3):
    points = np.random.default_rng(seed).uniform(-side / 2, side / 2, (count, 3))
    points[:, 2] = 0.0
    return points


def ra(height):
    return np.abs(height - height.mean()).mean()


@EVERY_FINISH
@pytest.mark.parametrize("seed", range(3))
def test_mean_height_is_the_ra_asked_for(finish, seed):
    height = replace(finish, seed=seed).evaluate(plane(20_000, seed)).height.astype(np.float64)
    assert ra(height) == pytest.approx(finish.ra, rel=0.06)
    assert abs(height.mean()) < 0.15 * finish.ra


@EVERY_FINISH
def test_a_finish_says_the_same_of_a_point_whoever_else_is_asked(finish):
    points = np.random.default_rng(5).uniform(-0.05, 0.05, (3000, 3))
    chosen = np.random.default_rng(6).permutation(3000)[:700]
    whole, part = finish.evaluate(points), finish.evaluate(points[chosen])
    for field in ("height", "base_colour", "roughness", "metallic", "lay"):
        if getattr(whole, field) is not None:
            assert np.isfinite(getattr(whole, field)).all()
            np.testing.assert_array_equal(getattr(whole, field)[chosen], getattr(part, field))


@EVERY_FINISH
def test_another_seed_is_another_surface_of_the_same_sort(finish):
    points = plane(4000)
    one, other = (replace(finish, seed=seed).evaluate(points) for seed in (0, 1))
    assert not np.array_equal(one.height, other.height)
    assert one.base_colour.mean() == pytest.approx(other.base_colour.mean(), rel=0.1)


@pytest.mark.parametrize("finish", [FINISHES["milled"], FINISHES["turned"], FINISHES["turned shaft"]])
def test_height_changes_across_the_lay_and_not_along_it(finish):
    finish = replace(finish, **SMOOTH)
    if isinstance(finish, MilledFinish):
        finish = replace(finish, back_cutting=0.0)
    points = plane(4000, side=0.04)
    if finish.kind == "turned" and finish.marks == "helical":  # on its shaft, but for the feed, which leans the groove
        around = np.random.default_rng(1).uniform(-1.0, 1.0, 4000)
        points[:, 0], points[:, 2] = 0.02 * np.sin(around), 0.02 * np.cos(around) - 0.02
    lay = finish.evaluate(points).lay.astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(lay, axis=1), 1.0, atol=1e-6)
    step = 2e-6
    across = np.cross(lay, [0.0, 0.0, 1.0]) if finish.kind == "milled" or finish.marks == "concentric" else [0, 1, 0]
    here = finish.evaluate(points).height.astype(np.float64)
    slopes = [
        np.median(np.abs(finish.evaluate(points + step * way).height - here)) / step for way in (lay, np.array(across))
    ]
    assert slopes[0] < 0.02 * slopes[1]


def test_the_groove_of_a_turned_face_is_one_spiral_without_a_seam():
    angle = np.linspace(0.0, 2.0 * np.pi, 4001)
    radius = 0.01 + TURNED.feed * angle / (2.0 * np.pi)  # riding in the groove, once around
    face = replace(TURNED, irregularity=0.3)
    height = face.evaluate(np.column_stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle])).height
    assert np.abs(np.diff(height)).max() < 0.02 * TURNED.ra
    bare = replace(TURNED, **SMOOTH)
    height = bare.evaluate(np.column_stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle])).height
    assert np.ptp(height) < 1e-3 * TURNED.ra


def test_turned_profile_repeats_with_the_feed_and_rises_as_the_nose_radius_has_it():
    along = np.linspace(0.01, 0.01 + 8 * TURNED.feed, 8 * 400 + 1)
    height = replace(TURNED, **SMOOTH).evaluate(np.column_stack([along, 0 * along, 0 * along])).height.astype(float)
    np.testing.assert_allclose(height[400:], height[:-400], atol=1e-4 * TURNED.ra)
    # The nose of the tool is round: the curvature at the bottom of a groove is that of its radius.
    bottom = height[:400].argmin() + 400
    curvature = (height[bottom - 40] + height[bottom + 40] - 2 * height[bottom]) / (along[40] - along[0]) ** 2
    assert 1.0 / curvature == pytest.approx(TURNED.nose_radius, rel=0.02)
    assert TURNED.nose_radius == pytest.approx(TURNED.feed**2 / (31.18 * TURNED.ra), rel=1e-3)  # the shop's formula


def test_milled_arcs_repeat_each_revolution_and_teeth_show_their_run_out():
    ahead = np.linspace(0.0, 6 * MILLED.feed_per_revolution, 6 * 500, endpoint=False)
    forward = np.array([2.0, 1.0, 0.0]) / np.sqrt(5.0)
    single = replace(MILLED, back_cutting=0.0, **SMOOTH)
    height = single.evaluate(ahead[:, None] * forward).height.astype(float)
    spectrum = np.abs(np.fft.rfft(height - height.mean()))
    revolutions = np.arange(len(spectrum)) / 6  # cycles a revolution
    assert set(np.flatnonzero(spectrum > 0.05 * spectrum.max()) % 6) == {0}
    even = replace(single, run_out=0.0).evaluate(ahead[:, None] * forward).height.astype(float)
    spectrum = np.abs(np.fft.rfft(even - even.mean()))
    assert revolutions[spectrum.argmax()] == MILLED.teeth  # without run-out all teeth cut alike
    assert replace(single, run_out=0.0).nose_radius == pytest.approx(
        MILLED.feed_per_tooth**2 / (31.18 * MILLED.ra), 1e-3
    )


def test_milled_arcs_have_the_radius_of_the_tool():
    single = replace(MILLED, step_over=0.05, feed_direction=(1.0, 0.0, 0.0))
    points = plane(2000, side=0.04)
    lay = single.evaluate(points).lay.astype(float)
    # Two arcs one curvature apart: turning of the lay over a step across the feed, d(angle)/ds = 1/R on a circle.
    step = 1e-4
    moved = single.evaluate(points + step * lay).lay.astype(float)
    turned = np.arcsin(np.abs(np.cross(lay, moved)[:, 2]))
    assert np.median(turned) / step == pytest.approx(2.0 / MILLED.tool_diameter, rel=0.02)


def test_laminate_repeats_every_two_yarns():
    board = replace(FINISHES["laminate"], waver=0.0, grain=0.0)
    points = plane(2000, side=0.02)
    height = board.evaluate(points).height
    period = np.array([2 * board.weft_pitch, 0.0, 0.0])
    np.testing.assert_allclose(board.evaluate(points + period).height, height, atol=1e-3 * board.ra)
    diagonal = np.array([board.weft_pitch, board.warp_pitch, 0.0])  # over one and under one
    np.testing.assert_allclose(board.evaluate(points + diagonal).height, height, atol=1e-3 * board.ra)
    assert not np.allclose(board.evaluate(points + 0.5 * period).height, height, atol=0.5 * board.ra)


@pytest.mark.parametrize("cover", [0.0, 0.2, 0.7, 1.0])
def test_scale_covers_the_share_asked_for(cover):
    sheet = replace(FINISHES["rolled"], scale_cover=cover, contrast=0.0, mottle=0.0, scale_darkening=1.0)
    darkened = sheet.evaluate(plane(30_000)).base_colour[:, 0] < 0.5 * np.exp(-0.5)
    assert darkened.mean() == pytest.approx(cover, abs=0.05)


def test_hot_rolled_strip_has_the_coherence_of_the_real_one(real_data):
    from PIL import Image

    from tests.procgen.finish.test_finish import coherence

    real = []
    for path in sorted((real_data / "neu_seg_dedup").glob("*.jpg"))[::5]:
        mask = path.with_name(path.stem + "_mask.png")
        defective = np.asarray(Image.open(mask)).any(axis=1) if mask.exists() else np.zeros(200, dtype=bool)
        for rows in (slice(0, BARE_ROWS), slice(200 - BARE_ROWS, 200)):
            if not defective[rows].any():
                real.append(coherence(np.asarray(Image.open(path).convert("L"), dtype=float)[rows]))
    assert len(real) > 10
    strip = RolledFinish(
        ra=1e-6, lay_direction=(0.0, 1.0, 0.0), mark_length=8e-3, mark_width=2.5e-4, grain=0.8, grain_size=1.5e-4,
        contrast=0.06, mottle=0.06, base_colour=(0.3, 0.3, 0.3), roughness=0.45,
    )  # fmt: skip
    texel = 1.5e-4
    v, u = np.meshgrid((np.arange(BARE_ROWS) + 0.5) * texel, (np.arange(200) + 0.5) * texel, indexing="ij")
    points = replace(
        SurfacePoints.of(np.stack([u, v, 0 * u], axis=-1).reshape(-1, 3)),
        shape=(BARE_ROWS, 200),
        spacing=(texel, texel),
    )
    ours = [coherence(compose(points, replace(strip, seed=s), [], {}).base_colour[..., 0]) for s in range(4)]
    low, high = np.quantile(real, [0.05, 0.95])
    assert low <= np.median(ours) <= high


@pytest.mark.parametrize(
    ("finish", "changes", "message"),
    [
        ("turned", {"feed": 0.0}, "turned finish: found feed = 0; expected a finite number, positive"),
        ("turned", {"axis_direction": (0.0, 0.0, 0.0)}, "axis_direction of length 0"),
        ("milled", {"ra": float("nan")}, "milled finish: found ra = nan"),
        ("milled", {"step_over": 0.06}, "expected at most the tool_diameter, 0.05 m"),
        ("cast", {"roughness": 1.5}, "roughness = 1.5"),
        ("painted", {"coat": -1.0}, "coat = -1"),
        ("ceramic", {"speck_density": 1e9}, "or they would merge"),
        ("rolled", {"base_colour": (0.1, 2.0, 0.1)}, r"base_colour\[1\] = 2"),
    ],
)
def test_parameters_out_of_range_are_refused(finish, changes, message):
    with pytest.raises(BlemishError, match=message):
        replace(FINISHES[finish], **changes)


@EVERY_FINISH
def test_a_perfectly_smooth_surface_is_allowed(finish):
    height = replace(finish, ra=0.0).evaluate(plane(500)).height
    assert not height.any()


STONES = AsphaltFinish(ra=3e-4, stone_size=8e-3, bare=0.0, variety=0.0, **GREY)


def test_broken_stones_have_plane_tops_and_sides():
    """A plane has no curvature, whichever way it leans; a dome has the same everywhere but at its border."""
    x = np.arange(0, 0.3, 2e-4)
    points = np.column_stack([x, np.zeros((len(x), 2))])

    def curvature(finish):
        height = finish.evaluate(points).height.astype(np.float64)
        return np.abs(np.diff(height, 2)) / np.abs(np.diff(height)).mean()

    smooth = {"ra": 3e-4, "stone_size": 8e-3, **GREY}
    round_, broken = (curvature(AsphaltFinish(angular=angular, **smooth)) for angular in (0.0, 1.0))
    # Away from edges the second difference is that of the sand alone, as it is between round stones.
    assert np.quantile(broken, 0.2) < np.quantile(round_, 0.5)
    assert not np.array_equal(round_, broken)
    assert ra(AsphaltFinish(angular=1.0, **smooth).evaluate(plane(20_000)).height) == pytest.approx(3e-4, rel=0.05)


def test_glints_and_pits_are_as_many_as_they_say():
    points = plane(60_000)
    plain, lit, pitted = (
        np.log(replace(STONES, **changes).evaluate(points).base_colour[:, 0])
        for changes in ({}, {"glints": 0.1}, {"plucked": 0.2})
    )
    on_a_stone = np.abs(plain - plain.max()) < 0.8
    assert on_a_stone.any()
    changed = lit > plain + 0.2
    assert changed.mean() == pytest.approx(0.1 * np.mean(lit >= plain) * 0.8, abs=0.05)
    assert (lit >= plain - 1e-5).all()
    assert 0.02 < (pitted < plain - 0.2).mean() < 0.2
    assert (pitted <= plain + 0.3).all()


def test_stones_have_hues_of_their_own_as_wide_as_their_tint():
    points = plane(60_000)
    grey, tinted = (np.log(replace(STONES, tint=tint).evaluate(points).base_colour) for tint in (0.0, 0.3))
    warmth = (tinted[:, 0] - tinted[:, 2]) - (grey[:, 0] - grey[:, 2])
    assert np.allclose(tinted[:, 1], grey[:, 1], atol=1e-6)  # green stays, and with it about the brightness
    assert np.allclose(tinted[:, 0] - grey[:, 0], grey[:, 2] - tinted[:, 2], atol=1e-6)
    assert abs(warmth.mean()) < 0.02
    assert 0.15 < warmth.std() < 0.3  # less between the stones and at their borders
    assert np.abs(warmth).max() <= 0.3 * np.sqrt(6) + 1e-5


def test_a_share_of_stones_beyond_all_is_refused():
    with pytest.raises(BlemishError, match="glints"):
        replace(STONES, glints=1.5)
