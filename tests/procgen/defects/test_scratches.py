"""Scratches and the paths under them: the volume by quadrature, the way along a path against brute force."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procgen.defects.scratches import Scratch, ScratchProfile, Track, simulate_tracks
from procgen.errors import BlemishError
from procgen.surface.layer import SurfacePoints
from procgen.surface.paths import Path, arc

PROFILE = ScratchProfile(width=4e-4, depth=3e-5, cutting=0.3, left_share=0.7, ridge_width=0.5)
STRAIGHT = Path(np.array([[0.0, 0.0, 0.0], [0.01, 0.0, 0.0], [0.02, 0.0, 0.0]]))


def flat(uv):
    return np.column_stack([uv, np.zeros(len(uv))])


def area(profile, start, stop, deepness):
    """By Gauss-Legendre quadrature of four nodes, exact for the parabola between two of its edges."""
    nodes, weights = np.polynomial.legendre.leggauss(4)
    offsets = 0.5 * (start + stop) + 0.5 * (stop - start) * nodes
    return 0.5 * (stop - start) * weights @ profile.height(offsets, deepness)


@settings(max_examples=100)
@given(
    width=st.floats(1e-6, 1e-2),
    depth=st.floats(1e-8, 1e-2),
    cutting=st.floats(0, 0.99),
    left_share=st.floats(0, 1),
    ridge_width=st.floats(0.05, 2),
    deepness=st.floats(0.01, 1.5),
)
def test_what_is_not_cut_away_stands_in_the_ridges(width, depth, cutting, left_share, ridge_width, deepness):
    profile = ScratchProfile(width, depth, cutting, left_share, ridge_width)
    half = 0.5 * width * math.sqrt(deepness)
    out = half * (1 + 2 * ridge_width)
    groove = -area(profile, -half, half, deepness)
    left, right = area(profile, half, out, deepness), area(profile, -out, -half, deepness)
    assert (groove - left - right) / groove == pytest.approx(cutting, abs=1e-9)
    assert left == pytest.approx(left_share * (left + right), abs=1e-9 * groove)
    assert profile.height(1.001 * out, deepness) == 0.0


def test_the_groove_is_the_tip_at_every_depth():
    """The curvature of z = y²/2R − depth does not depend on how deep the tip goes."""
    tip_radius = PROFILE.width**2 / (8 * PROFILE.depth)
    for deepness in (0.1, 0.5, 1.3):
        y = np.linspace(-0.5, 0.5, 21) * PROFILE.width * math.sqrt(deepness)
        expected = y**2 / (2 * tip_radius) - PROFILE.depth * deepness
        np.testing.assert_allclose(PROFILE.height(y, deepness)[1:-1], expected[1:-1], atol=1e-12)


def test_mask_is_the_groove_and_not_the_ridges():
    points = flat(np.random.default_rng(0).uniform((0, -6e-4), (0.02, 6e-4), (20_000, 2)))
    sample = Scratch(STRAIGHT, PROFILE, instance=3).evaluate(points)
    np.testing.assert_array_equal(sample.inside, np.abs(points[:, 1]) <= 2e-4)
    np.testing.assert_array_equal(sample.instance, 3 * sample.inside)
    assert (sample.height[sample.inside] <= 0).all()
    ridges = ~sample.inside & (np.abs(points[:, 1]) < 3.9e-4)
    assert (sample.height[ridges] > 0).mean() > 0.95
    assert not sample.height[np.abs(points[:, 1]) > 4.01e-4].any()
    assert sample.height[points[:, 1] > 2e-4].max() > sample.height[points[:, 1] < -2e-4].max()  # left, right


def test_tip_goes_down_from_nothing_and_comes_up_to_nothing():
    scratch = Scratch(STRAIGHT, PROFILE, run_in=4e-3, run_out=8e-3)
    np.testing.assert_allclose(
        scratch.deepness(np.array([0.0, 1e-3, 4e-3, 0.01, 0.016, 0.02])), [0, 0.25, 1, 1, 0.5, 0]
    )
    middle = scratch.evaluate(flat(np.array([[1e-6, 0.0], [1e-3, 0.0], [8e-3, 0.0], [0.016, 0.0]])))
    np.testing.assert_allclose(middle.height, [-3e-5 * 1e-6 / 4e-3, -0.75e-5, -3e-5, -1.5e-5], rtol=1e-5)


def test_stick_slip_swings_about_the_depth_at_its_length():
    scratch = Scratch(Path(STRAIGHT.vertices * 10), PROFILE, stick_slip=0.5, stick_slip_length=1e-3, seed=3)
    deepness = scratch.deepness(np.linspace(0.0, 0.2, 40_000))
    assert 0.75 <= deepness.min() < 0.85
    assert 1.15 < deepness.max() <= 1.25
    assert deepness.mean() == pytest.approx(1.0, abs=0.02)
    slips = (np.diff(deepness) < -1e-4).astype(int)
    assert np.sum(np.diff(slips) == 1) == pytest.approx(200, rel=0.15)


@settings(max_examples=15)
@given(bend=st.floats(-2.5, 2.5), heading=st.floats(-3, 3), radius=st.sampled_from([math.inf, 0.03]))
def test_along_and_beside_are_those_of_brute_force(bend, heading, radius):
    def embed(uv):
        if math.isinf(radius):
            return flat(uv)
        angle = uv[:, 0] / radius
        return np.column_stack([radius * np.sin(angle), uv[:, 1], radius * np.cos(angle) - radius])

    vertices = embed(arc((0.001, -0.002), 0.02, heading, bend, steps=12))
    uv = np.random.default_rng(1).uniform(-0.02, 0.02, (3000, 2))
    angle = uv[:, 0] / radius
    normals = np.column_stack([np.sin(angle), 0 * angle, np.cos(angle)])
    points = SurfacePoints(embed(uv), normals, np.column_stack([np.cos(angle), 0 * angle, -np.sin(angle)]))
    near, along, offset = Path(vertices).beside(points, 2e-3)

    best, where, side = np.full(3000, np.inf), np.zeros(3000), np.zeros(3000)
    gone = 0.0
    for number, (a, b) in enumerate(itertools.pairwise(vertices)):
        length = np.linalg.norm(b - a)
        run = (points.positions - a) @ (b - a) / length
        aside = points.positions - (a + np.clip(run, 0, length)[:, None] * (b - a) / length)
        beside = ~((number == 0) & (run < 0)) & ~((number == len(vertices) - 2) & (run > length))
        here = np.where(beside, np.linalg.norm(aside, axis=1), np.inf)
        closer = here < best
        best[closer], where[closer] = here[closer], (gone + np.clip(run, 0, length))[closer]
        side[closer] = np.sign(np.einsum("nk,nk->n", np.cross(normals, (b - a) / length), aside))[closer]
        gone += length
    expected = np.flatnonzero(best <= 2e-3)
    np.testing.assert_array_equal(near, expected)
    np.testing.assert_allclose(np.abs(offset), best[expected], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(along, where[expected], rtol=1e-9, atol=1e-12)
    clear = best[expected] > 1e-6
    np.testing.assert_array_equal(np.sign(offset)[clear], side[expected][clear])


def test_an_arc_has_its_length_and_turns_by_its_bend():
    points = arc((0.01, 0.02), 0.03, 0.7, 0.5)
    steps = np.diff(points, axis=0)
    assert np.linalg.norm(steps, axis=1).sum() == pytest.approx(0.03)
    turned = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    assert turned.mean() == pytest.approx(0.7)
    assert turned[-1] - turned[0] == pytest.approx(0.5 * 47 / 48)


def test_a_point_is_told_the_same_in_any_company():
    points = flat(np.random.default_rng(0).uniform(-1e-3, 0.021, (5000, 2)) * [1, 0.1])
    scratch = Scratch(STRAIGHT, PROFILE, run_in=1e-3, stick_slip=0.5)
    together, apart = scratch.evaluate(points), scratch.evaluate(points[100:200])
    np.testing.assert_array_equal(together.height[100:200], apart.height)
    assert scratch.evaluate(points + 1.0).inside.sum() == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0.0}, "width = 0; expected a finite number, positive"),
        ({"depth": float("nan")}, "depth = nan"),
        ({"cutting": 1.2}, r"cutting = 1\.2; expected a finite number, between 0 and 1"),
    ],
)
def test_profiles_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        replace(PROFILE, **changes)


def test_runs_longer_than_the_path_and_paths_that_stand_still_are_refused():
    with pytest.raises(BlemishError, match=r"run_in \+ run_out = 0\.03 m on a path of 0\.02 m"):
        Scratch(STRAIGHT, PROFILE, run_in=0.015, run_out=0.015)
    with pytest.raises(BlemishError, match="the same vertex twice"):
        Path(np.zeros((2, 3)))
    with pytest.raises(BlemishError, match="two or more finite points"):
        Path(np.zeros((1, 3)))


def test_grooves_of_a_rough_body_add_up():
    """Summed over a section, the metal that is missing is the cut share of every track's groove, as of one."""
    tracks = (Track(-6e-4, 0.6), Track(1e-4, 1.3, 0.1, 0.9), Track(5e-4, 1.0))
    y = np.linspace(-2e-3, 2e-3, 40_001)
    section = np.column_stack([np.full_like(y, 0.01), y])
    together = Scratch(STRAIGHT, PROFILE, tracks=tracks).evaluate(flat(section))
    alone = [Scratch(STRAIGHT, PROFILE, tracks=(track,)).evaluate(flat(section)) for track in tracks]
    np.testing.assert_allclose(together.height, sum(sample.height for sample in alone), atol=1e-11)
    np.testing.assert_array_equal(together.inside, np.any([sample.inside for sample in alone], axis=0))
    grooves = sum(2 / 3 * PROFILE.width * PROFILE.depth * track.load**1.5 for track in tracks)
    assert -together.height.sum() * (y[1] - y[0]) == pytest.approx(PROFILE.cutting * grooves, rel=1e-3)


def test_a_track_begins_and_ends_where_it_says():
    scratch = Scratch(STRAIGHT, PROFILE, tracks=(Track(0.0, 1.0, 0.25, 0.75),))
    inside = scratch.evaluate(flat(np.array([[0.0049, 0.0], [0.0051, 0.0], [0.0149, 0.0], [0.0151, 0.0]]))).inside
    np.testing.assert_array_equal(inside, [False, True, True, False])


@pytest.mark.parametrize("contact", [0.3, 0.6, 0.9])
def test_a_bouncing_tip_touches_for_its_share_of_the_way(contact):
    along = np.linspace(0.0, 0.02, 4001)
    shares = [
        np.mean(Scratch(STRAIGHT, PROFILE, contact=contact, contact_length=4e-4, seed=seed).deepness(along) > 0.0)
        for seed in range(20)
    ]
    assert np.mean(shares) == pytest.approx(contact, abs=0.05)


def test_tracks_are_strewn_over_the_spread_and_one_alone_runs_in_the_middle():
    tracks = simulate_tracks(400, 2e-3, 0.2, np.random.default_rng(3))
    offsets, loads = (np.array([getattr(track, name) for track in tracks]) for name in ("offset", "load"))
    assert np.ptp(offsets) == pytest.approx(2e-3, rel=0.05)
    assert np.abs(offsets).max() <= 1e-3
    assert np.median(loads) == pytest.approx(1.0, abs=0.1)
    assert all(0.0 <= track.start <= 0.2 and 0.8 <= track.end <= 1.0 for track in tracks)
    assert simulate_tracks(1, 2e-3, 0.2, np.random.default_rng(3)) == (Track(),)


@pytest.mark.parametrize("wrong", [{"load": 0.0}, {"start": -0.1}, {"offset": np.nan}, {"start": 0.6, "end": 0.6}])
def test_tracks_that_cannot_be_are_refused(wrong):
    with pytest.raises(BlemishError, match="scratch track: found"):
        Track(**wrong)


def test_the_bed_is_bare_in_streaks_and_the_mask_stays_whole():
    """Along the way the streaks stay alike for longer than across; without a bed of its own it is bare all over."""
    x, y = np.meshgrid(np.linspace(2e-3, 0.018, 801), np.linspace(-1.9e-4, 1.9e-4, 96))
    points = flat(np.column_stack([x.ravel(), y.ravel()]))
    broad = ScratchProfile(width=4e-3, depth=3e-6, cutting=1.0)
    plain = Scratch(STRAIGHT, broad, reflectance_change=0.5).evaluate(points)
    streaky = Scratch(
        STRAIGHT, broad, bed=0.8, bed_length=2e-3, bed_width=4e-5, reflectance_change=0.5, seed=2
    ).evaluate(points)
    np.testing.assert_array_equal(streaky.inside, plain.inside)
    np.testing.assert_array_equal(streaky.height, plain.height)
    share = (streaky.reflectance / plain.reflectance).reshape(x.shape)
    assert share.min() == pytest.approx(0.2, abs=1e-3)
    assert share.max() == pytest.approx(1.0, abs=1e-3)
    assert share.mean() == pytest.approx(0.6, abs=0.1)
    along, across = (np.abs(np.diff(share, axis=axis)).mean() for axis in (1, 0))
    # Steps of 20 µm along and of 4 µm across, in streaks of 2 mm by 40 µm: a hundredth and a tenth of them.
    assert across / along == pytest.approx(10, rel=0.4)
