"""Minimum-energy cracks: the mechanics in limits that are known, the groove against brute force."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procgen.defects.cracks import Crack, CrackGraph, CrackParameters, simulate_minimum_energy_path
from procgen.errors import BlemishError

PARAMETERS = CrackParameters(width=4e-4, depth=3e-4)


def flat(vertices):
    return np.column_stack([vertices, np.zeros(len(vertices))])


def simulated(seed, start=(0.0, 0.0), end=(0.03, 0.01), **changes):
    return simulate_minimum_energy_path(replace(PARAMETERS, **changes), start, end, np.random.default_rng(seed))


def brute_force(graph, points):
    """(inside, depth of the groove) with every point against every edge, one edge at a time."""
    offset, depth = np.full(len(points), np.inf), np.zeros(len(points))
    for tail, head in graph.edges:
        a, b = graph.vertices[tail], graph.vertices[head]
        t = np.clip((points - a) @ (b - a) / np.dot(b - a, b - a), 0, 1)
        distance = np.linalg.norm(points - (a + t[:, None] * (b - a)), axis=1)
        half_width = 0.5 * ((1 - t) * graph.widths[tail] + t * graph.widths[head])
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(half_width > 0, distance / half_width, np.inf)
        here = relative < offset
        offset[here] = relative[here]
        depth[here] = ((1 - t) * graph.depths[tail] + t * graph.depths[head])[here]
    inside = offset <= 1
    return inside, np.where(inside, depth * (1 - np.minimum(offset, 1)), 0)


@pytest.mark.parametrize("end", [(0.03, 0.0), (0.017, -0.021), (-0.01, 0.02)])
def test_uniform_toughness_cracks_along_the_straight_line(end):
    path = simulated(0, end=end, toughness_sigma=0.0).vertices
    forward = np.array(end) / np.linalg.norm(end)
    off_line = path @ np.array([-forward[1], forward[0]])
    np.testing.assert_allclose(off_line, 0.0, atol=1e-12)
    assert (np.diff(path @ forward) > 0).all()


def test_ends_are_where_they_were_asked_for():
    path = simulated(3, (0.01, 0.02), (0.04, 0.01)).vertices
    np.testing.assert_array_equal(path[0], (0.01, 0.02))
    np.testing.assert_array_equal(path[-1], (0.04, 0.01))


def test_path_wanders_with_the_exponent_of_directed_polymers():
    """Height differences over a lag l grow as l^(2/3); the estimate spreads from one crack to the next."""
    lags = np.unique(np.geomspace(10, 150, 8).astype(int))
    square = np.zeros(len(lags))
    for seed in range(10):
        x, y = simulated(seed, end=(0.06, 0.0), grid_spacing=1e-4, toughness_correlation=2e-4).vertices.T
        profile = np.interp(np.linspace(0, 0.06, 600), np.maximum.accumulate(x), y)
        square += [np.mean((profile[lag:] - profile[:-lag]) ** 2) for lag in lags]
    exponent = np.polyfit(np.log(lags), 0.5 * np.log(square), 1)[0]
    assert 0.5 < exponent < 0.8


@pytest.mark.parametrize(("sigma", "least", "most"), [(0.15, 1.0, 1.06), (0.4, 1.02, 1.2)])
def test_tortuosity_is_that_of_real_cracks(sigma, least, most):
    """Real ones, in the median: 1.01 in ground ferrite, 1.09 in asphalt (data README)."""
    lengths = []
    for seed in range(8):
        path = simulated(seed, end=(0.04, 0.0), toughness_sigma=sigma).vertices
        lengths.append(np.linalg.norm(np.diff(path, axis=0), axis=1).sum() / 0.04)
    assert least <= np.median(lengths) <= most


def test_widths_are_lognormal_about_the_mean():
    graphs = [simulated(seed, end=(0.06, 0.0), start_taper=0.0, end_taper=0.0) for seed in range(20)]
    widths = np.concatenate([graph.widths for graph in graphs])
    assert widths.mean() == pytest.approx(4e-4, rel=0.06)
    assert widths.std() / widths.mean() == pytest.approx(0.45, abs=0.06)
    logarithm = np.log(widths)
    assert abs(np.mean(((logarithm - logarithm.mean()) / logarithm.std()) ** 3)) < 0.25


def test_depth_follows_width_and_tips_close():
    graph = simulated(1, start_taper=0.0, end_taper=0.3)
    np.testing.assert_allclose(graph.depths, graph.widths * 0.75)
    assert graph.widths[0] > 0
    assert graph.widths[-1] == 0


def test_same_generator_state_gives_the_same_crack():
    one, other = simulated(7), simulated(7)
    np.testing.assert_array_equal(one.vertices, other.vertices)
    np.testing.assert_array_equal(one.widths, other.widths)
    assert not np.array_equal(one.widths[:20], simulated(8).widths[:20])


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), curved=st.booleans())
def test_groove_is_that_of_brute_force(seed, curved):
    radius = 0.03

    def bent(vertices):
        angle = vertices[:, 0] / radius
        return np.column_stack([radius * np.sin(angle), vertices[:, 1], radius * np.cos(angle) - radius])

    embed = bent if curved else flat
    graph = simulated(seed).embedded(embed)
    rng = np.random.default_rng(seed)
    anywhere = rng.uniform((-0.002, -0.01), (0.032, 0.02), (1500, 2))
    close = simulated(seed).vertices[rng.integers(0, len(graph.vertices), 1500)] + rng.normal(0, 3e-4, (1500, 2))
    points = embed(np.concatenate([anywhere, close]))
    inside, depth = brute_force(graph, points)
    sample = Crack(graph).evaluate(points)
    np.testing.assert_array_equal(sample.inside, inside)
    np.testing.assert_allclose(sample.height, -depth, atol=1e-10)
    assert inside.any()


def test_branches_meet_without_a_gap():
    star = CrackGraph(
        vertices=np.array([[0, 0, 0], [0.01, 0, 0], [-0.005, 0.008, 0], [-0.005, -0.008, 0]], dtype=float),
        edges=np.array([[0, 1], [0, 2], [0, 3]]),
        widths=np.array([1e-3, 5e-4, 0.0, 2e-4]),
        depths=np.array([1e-3, 5e-4, 0.0, 2e-4]),
    )
    points = flat(np.random.default_rng(0).uniform(-0.012, 0.012, (20_000, 2)))
    np.testing.assert_array_equal(Crack(star).evaluate(points).inside, brute_force(star, points)[0])


def test_groove_is_dark_and_deep_in_the_middle_and_level_with_the_surface_at_its_edge():
    straight = CrackGraph(
        np.array([[0.0, 0, 0], [0.01, 0, 0]]), np.array([[0, 1]]), np.array([1e-3, 1e-3]), np.array([8e-4, 8e-4])
    )
    points = np.array([[0.005, y, 0.0] for y in (0.0, 2.5e-4, 5e-4, 5.1e-4)])
    sample = Crack(straight, reflectance_change=-0.2, roughness_change=0.3, instance=6).evaluate(points)
    np.testing.assert_array_equal(sample.inside, [True, True, True, False])
    np.testing.assert_array_equal(sample.instance, [6, 6, 6, 0])
    np.testing.assert_allclose(sample.height, [-8e-4, -4e-4, 0, 0], atol=1e-9)
    np.testing.assert_allclose(sample.reflectance, [-0.2, -0.1875, 0, 0], atol=1e-7)
    np.testing.assert_allclose(sample.roughness, [0.3, 0.3, 0.3, 0])


@pytest.mark.parametrize("correlation", [0.0, 1e-9, 1e3])
def test_toughness_may_vary_faster_than_the_grid_or_slower_than_the_crack(correlation):
    path = simulated(2, toughness_correlation=correlation, width_correlation=max(correlation, 1e-9))
    assert np.isfinite(path.vertices).all()
    assert np.isfinite(path.widths).all()


def test_start_at_the_end_is_refused():
    with pytest.raises(BlemishError, match=r"start and end at the same point, \[0\.01, 0\.0\]"):
        simulated(0, (0.01, 0.0), (0.01, 0.0))


def test_crack_that_is_not_on_a_part_is_refused():
    with pytest.raises(BlemishError, match="embed it in a part"):
        Crack(simulated(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0.0}, "width = 0; expected a finite number, positive"),
        ({"toughness_sigma": -0.1}, "toughness_sigma = -0.1"),
        ({"grid_spacing": float("nan")}, "grid_spacing = nan"),
        ({"end_taper": 1.5}, "end_taper = 1.5; expected a finite number, between 0 and 1"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        replace(PARAMETERS, **changes)
