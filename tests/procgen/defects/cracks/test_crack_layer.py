"""Hairlines on texels: connected, of the right area, and the same for a texel whoever else is asked."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from procgen.defects.cracks import Crack, CrackGraph, CrackParameters, round_grains, simulate_minimum_energy_path
from procgen.defects.cracks.graph import chain
from procgen.surface.layer import LayerSample, SurfacePoints

SIZE = 0.02


def grid(side, size=SIZE):
    v, u = np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2, indexing="ij")
    flat = SurfacePoints.of(np.stack([u, v, 0 * u], axis=-1).reshape(-1, 3) * size)
    return replace(flat, shape=(side, side), spacing=(size / side, size / side))


def line(width, angle=0.3, wobble=0.0, seed=0):
    """A nearly straight crack through the middle of the square, of constant width."""
    t = np.linspace(-0.4, 0.4, 40)
    rng = np.random.default_rng(seed)
    across = wobble * rng.standard_normal(len(t))
    u, v = 0.5 + t * np.cos(angle) - across * np.sin(angle), 0.5 + t * np.sin(angle) + across * np.cos(angle)
    count = len(t)
    edges = np.stack([np.arange(count - 1), np.arange(1, count)], axis=1)
    vertices = SIZE * np.column_stack([u, v, np.zeros(count)])
    return CrackGraph(vertices, edges, np.full(count, width), np.full(count, width))


def length_of(graph):
    return np.linalg.norm(np.diff(graph.vertices, axis=0), axis=1).sum()


@example(width=0.99e-3, angle=0.0, wobble=2.8e-17, side=31)  # rows of texels just at the mask's border
@settings(max_examples=40)
@given(
    width=st.floats(1e-8, 1e-3),
    angle=st.floats(0, np.pi),
    wobble=st.floats(0, 0.02),
    side=st.sampled_from([31, 64, 150]),
)
def test_mask_of_a_crack_is_one_connected_piece_however_thin(width, angle, wobble, side):
    sample = Crack(line(width, angle, wobble)).evaluate(grid(side))
    mask = sample.inside.reshape(side, side)
    every_second = [mask[row::2, column::2] for row in (0, 1) for column in (0, 1)]  # as a picture's pixels see it
    assert [ndimage.label(seen, np.ones((3, 3)))[1] for seen in (mask, *every_second)] == [1] * 5


@settings(max_examples=25)
@given(share=st.floats(1e-3, 0.7), angle=st.floats(0, np.pi), side=st.sampled_from([64, 100]))
def test_a_hairline_changes_the_surface_by_its_area(share, angle, side):
    texel = SIZE / side
    graph = line(share * texel, angle)
    sample = Crack(graph, reflectance_change=-0.3, roughness_change=0.2).evaluate(grid(side))
    area = length_of(graph) * share * texel
    assert sample.reflectance.sum() * texel**2 == pytest.approx(-0.3 * 4 / 5 * area, rel=0.02)
    assert sample.height.sum() * texel**2 == pytest.approx(-share * texel / 2 * area, rel=0.02)


@pytest.mark.parametrize("angle", [0.1, 0.3, 0.6, 1.2])
def test_what_a_crack_does_to_the_surface_hardly_depends_on_the_texel(angle):
    """Sum over the surface while the texel grows from a tenth of the width to ten times as much."""
    graph = line(4e-4, angle)
    sums = []
    for side in (500, 200, 100, 71, 50, 33, 25, 10, 5):
        change = Crack(graph).evaluate(grid(side)).reflectance
        sums.append(change.sum() * (SIZE / side) ** 2)
    np.testing.assert_allclose(sums, sums[0], rtol=0.2)


def test_a_texel_hears_the_same_whichever_texels_are_asked_with_it():
    graph = simulate_minimum_energy_path(
        CrackParameters(width=1e-4, depth=1e-4), (0.001, 0.003), (0.018, 0.016), np.random.default_rng(2)
    ).embedded(lambda chart: np.column_stack([chart, np.zeros(len(chart))]))
    whole = grid(120)
    rows, columns = slice(31, 90), slice(7, 71)
    window = np.arange(120 * 120).reshape(120, 120)[rows, columns]
    chosen = window.ravel()
    part = SurfacePoints(
        whole.positions[chosen], whole.normals[chosen], whole.tangents[chosen], window.shape, whole.spacing
    )
    crack = Crack(graph, lip=0.2)
    one, other = crack.evaluate(whole), crack.evaluate(part)
    assert other.inside.any()
    for field in LayerSample.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, field)[chosen], getattr(other, field))


def test_texels_beneath_a_curved_crack_are_found_too():
    """On a cylinder texels are flat and edges are chords: neither lies exactly on the other."""
    radius, side = 0.01, 80

    def bent(chart):
        angle = chart[:, 0] / radius
        return np.column_stack([radius * np.sin(angle), chart[:, 1], radius * np.cos(angle)])

    chart = grid(side).positions[:, :2]
    angle = chart[:, 0] / radius
    normals = np.column_stack([np.sin(angle), 0 * angle, np.cos(angle)])
    tangents = np.column_stack([np.cos(angle), 0 * angle, -np.sin(angle)])
    points = SurfacePoints(bent(chart), normals, tangents, (side, side), (SIZE / side, SIZE / side))
    graph = line(2e-5, 0.4)
    flat = Crack(graph).evaluate(grid(side))
    curved = Crack(replace(graph, vertices=bent(graph.vertices[:, :2]))).evaluate(points)
    assert np.count_nonzero(flat.inside != curved.inside) <= 0.05 * flat.inside.sum()
    assert ndimage.label(curved.inside.reshape(side, side), np.ones((3, 3)))[1] == 1


def test_lips_rise_beside_the_groove_and_are_not_part_of_the_mask():
    graph = line(1e-3, 0.0)
    points = np.array([[SIZE / 2, SIZE / 2 + y, 0.0] for y in (0.0, 4.99e-4, 5.01e-4, 1e-3, 1.5e-3, 2e-3)])
    sample = Crack(graph, lip=0.1).evaluate(points)
    np.testing.assert_array_equal(sample.inside, [True, True, False, False, False, False])
    np.testing.assert_allclose(sample.height, [-1e-3, 0.98e-4, 1e-4, 0.25e-4, 0, 0], atol=3e-6)
    assert not sample.reflectance[2:].any()
    assert not sample.roughness[2:].any()


def test_a_crack_that_has_closed_everywhere_is_nowhere():
    graph = line(1e-4)
    sample = Crack(replace(graph, edges=graph.edges[:0])).evaluate(grid(20))
    assert not sample.inside.any()
    assert not sample.height.any()


def test_grit_fills_a_crack_on_its_share_of_the_way_and_leaves_its_mask():
    graph = line(1e-3, angle=0.2)
    open_, half, full = (
        Crack(graph, filled=filled, filled_size=3e-4, seed=4).evaluate(grid(200)) for filled in (0.0, 0.5, 1.0)
    )
    for sample in (half, full):
        assert (sample.inside == open_.inside).all()
    deep = open_.reflectance < -0.05
    assert np.allclose(full.reflectance[deep] / open_.reflectance[deep], 0.15, atol=1e-5)
    assert np.allclose(full.height[deep] / open_.height[deep], 0.15, atol=1e-5)
    left = half.reflectance[deep] / open_.reflectance[deep]
    assert left.min() == pytest.approx(0.15, abs=1e-3)
    assert left.max() == pytest.approx(1.0, abs=1e-3)
    assert left.mean() == pytest.approx((1 + 0.15) / 2, abs=0.1)


@pytest.mark.parametrize("side", [40, 200], ids=["a hairline", "wide"])
def test_broken_edges_are_shallow_and_the_crack_is_as_wide_as_it_was(side):
    """Of a profile over the width, the sum over its gap and what is added beyond it, on a straight crack."""
    graph, gaping = line(4e-4, angle=0.2), 0.4
    whole, broken = (Crack(graph, spalled=spalled).evaluate(grid(side)) for spalled in (0.0, 1 - gaping))
    assert (broken.inside == whole.inside).all()
    assert (broken.height >= whole.height).all()
    assert broken.height.sum() == pytest.approx((0.15 + 0.85 * gaping) * whole.height.sum(), rel=0.06)
    assert broken.reflectance.sum() == pytest.approx((0.3 + 0.7 * gaping) * whole.reflectance.sum(), rel=0.06)


def test_edges_broken_away_all_over_leave_no_gap_but_a_shallow_band():
    sample = Crack(line(1e-3), spalled=1.0).evaluate(grid(100))
    assert np.isfinite(sample.height).all()
    assert sample.height.min() == pytest.approx(-0.15 * 1e-3, rel=0.15)


def test_a_crack_round_grains_strays_as_far_as_it_is_told_and_keeps_its_ends_joined():
    count = 400
    vertices = np.column_stack([np.linspace(0, 2, count), np.zeros(count)])
    graph = CrackGraph(vertices, chain(count), np.linspace(1e-3, 2e-3, count), np.full(count, 1e-3))
    ragged = round_grains(graph, 1e-3, 4e-3, seed=3)
    strayed = ragged.vertices[:, 1]
    assert strayed.std() == pytest.approx(1e-3, rel=0.15)
    assert abs(strayed.mean()) < 2e-4
    order = [*ragged.edges[:, 0].tolist(), ragged.edges[-1, 1].item()]
    assert sorted(order) == list(range(len(ragged.vertices)))  # every vertex once: still one line
    ordered = strayed[order] - strayed.mean()
    step = np.linalg.norm(np.diff(vertices, axis=0), axis=1).sum() / (len(order) - 1)
    lag = round(4e-3 / step)
    alike = np.mean(ordered[:-lag] * ordered[lag:]) / np.mean(ordered**2)
    assert alike == pytest.approx(np.exp(-1), abs=0.12)  # a grain's size away
    assert np.all(np.diff(ragged.widths[order]) >= -1e-12)  # widths between the ends of the edge that was cut
    assert (round_grains(graph, 1e-3, 4e-3, seed=3).vertices == ragged.vertices).all()


def test_branches_stay_joined_round_grains():
    vertices = np.array([[0, 0], [1, 0], [2, 0.5], [2, -0.5]]) * 1e-2
    star = CrackGraph(vertices, np.array([[0, 1], [1, 2], [1, 3]]), np.full(4, 1e-4), np.full(4, 1e-4))
    ragged = round_grains(star, 2e-4, 1e-3, seed=0)
    assert np.bincount(ragged.edges.ravel())[:4].tolist() == [1, 3, 1, 1]
    assert np.bincount(ragged.edges.ravel())[4:].tolist() == [2] * (len(ragged.vertices) - 4)
