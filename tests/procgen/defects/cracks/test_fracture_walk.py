"""The fracture walk: the criterion against the stress field itself, the process against its stationary law."""

from dataclasses import replace

import numpy as np
import pytest

from procgen.defects.cracks import WalkParameters, simulate_fracture_walk
from procgen.defects.cracks.graph import degrees, edge_lengths
from procgen.defects.cracks.walk import kink_angle
from procgen.errors import BlemishError

WALK = WalkParameters(width=4e-4, depth=4e-4, length=0.2, step=1e-3, branching_threshold=100.0)
SIZE = (0.3, 0.2)


def walked(seed, course=0.0, start=(0.0, 0.1), size=SIZE, **changes):
    return simulate_fracture_walk(replace(WALK, **changes), start, course, size, np.random.default_rng(seed))


@pytest.mark.parametrize("mixity", [-30.0, -2.0, -0.5, -0.01, 0.0, 0.1, 1.0, 100.0])
def test_kink_is_where_the_hoop_stress_before_the_tip_is_largest(mixity):
    """The near field of Westergaard, sampled, with K_I = 1 and K_II = mixity."""
    angle = np.linspace(-np.pi, np.pi, 200_001)
    hoop = np.cos(angle / 2) ** 2 * (np.cos(angle / 2) - 3 * mixity * np.sin(angle / 2))
    assert kink_angle(mixity) == pytest.approx(angle[np.argmax(hoop)], abs=1e-4)


def test_no_kink_exceeds_that_under_pure_shear():
    assert abs(np.degrees(kink_angle(1e12))) == pytest.approx(70.53, abs=0.01)


@pytest.mark.parametrize("course", [0.0, 0.4, -0.7])
def test_without_shear_a_crack_runs_straight_on_its_course(course):
    path = walked(0, course, (0.05, 0.1), mode_mixity=0.0, grain_mixity=0.0, length=0.05).vertices - (0.05, 0.1)
    np.testing.assert_allclose(path @ (-np.sin(course), np.cos(course)), 0, atol=1e-12)
    assert (np.diff(path @ (np.cos(course), np.sin(course))) > 0).all()


def test_heading_has_twice_the_spread_of_the_mixity_and_forgets_itself_with_it():
    """A tip on its course kinks by twice a small mixity; off its course it is led back, so the spread does not grow."""
    headings = []
    for seed in range(30):
        way = np.diff(walked(seed, mode_mixity=0.08, grain_mixity=0.0, mixity_correlation=5e-3).vertices, axis=0)
        headings.append(np.arctan2(way[:, 1], way[:, 0]))
    headings = np.stack(headings)
    assert headings.mean() == pytest.approx(0, abs=0.03)
    assert headings.std() == pytest.approx(0.16, rel=0.1)
    early, late = headings[:, :100].std(), headings[:, 100:].std()
    assert early == pytest.approx(late, rel=0.2)
    correlation = np.mean(headings[:, 5:] * headings[:, :-5]) / np.mean(headings**2)
    assert correlation == pytest.approx(np.exp(-1), abs=0.08)


def test_length_is_that_along_the_crack():
    graph = walked(1, length=0.1)
    assert edge_lengths(graph.vertices, graph.edges).sum() == pytest.approx(0.1)
    assert graph.widths[-1] == 0
    assert graph.widths[0] > 0


def test_crack_ends_where_it_leaves_the_chart():
    graph = walked(2, 0.0, (0.0, 0.1), (0.05, 0.2))
    outside = (graph.vertices < 0).any(axis=1) | (graph.vertices > (0.05, 0.2)).any(axis=1)
    assert outside.sum() == 1
    assert outside[-1]
    assert graph.widths[-1] > 0


def test_the_lower_the_threshold_the_more_cracks_fork():
    def forks(threshold):
        graphs = [walked(seed, branching_threshold=threshold) for seed in range(12)]
        return sum((degrees(len(graph.vertices), graph.edges) == 3).sum() for graph in graphs)

    counts = [forks(threshold) for threshold in (100.0, 1.4, 1.0, 0.7)]
    assert counts[0] == 0
    assert counts[0] < counts[1] < counts[2] < counts[3]


def test_arms_leave_a_fork_at_the_branching_angle():
    angles = []
    for seed in range(40):
        graph = walked(seed, branching_threshold=1.0, branching_angle=0.9, mode_mixity=0.02, grain_mixity=0.0)
        degree = degrees(len(graph.vertices), graph.edges)
        for vertex in np.flatnonzero(degree == 3):
            arms = [head for tail, head in graph.edges if tail == vertex]
            if len(arms) == 2:  # a fork, not a crack that met another
                one, other = (graph.vertices[arm] - graph.vertices[vertex] for arm in arms)
                angles.append(np.arccos(one @ other / np.linalg.norm(one) / np.linalg.norm(other)))
    assert len(angles) > 20
    # The first step of an arm already turns back a little, as it forgets the fork.
    assert np.mean(angles) == pytest.approx(0.9, rel=0.2)


def test_no_crack_crosses_another():
    for seed in range(6):
        graph = walked(seed, branching_threshold=0.5, mode_mixity=0.4, branching_angle=1.5, step=2e-3)
        tail, head = graph.vertices[graph.edges[:, 0]], graph.vertices[graph.edges[:, 1]]
        for a, b, edge in zip(tail, head, graph.edges, strict=True):
            span, away = head - tail, tail - a
            cross = (b - a)[0] * span[:, 1] - (b - a)[1] * span[:, 0]
            with np.errstate(divide="ignore", invalid="ignore"):
                t = (away[:, 0] * span[:, 1] - away[:, 1] * span[:, 0]) / cross
                s = (away[:, 0] * (b - a)[1] - away[:, 1] * (b - a)[0]) / cross
            apart = ~np.isin(graph.edges, edge).any(axis=1)
            assert not (apart & (t > 1e-9) & (t < 1 - 1e-9) & (s > 1e-9) & (s < 1 - 1e-9)).any()


def test_the_same_generator_gives_the_same_crack():
    one, other = walked(3, branching_threshold=1.0), walked(3, branching_threshold=1.0)
    np.testing.assert_array_equal(one.vertices, other.vertices)
    np.testing.assert_array_equal(one.widths, other.widths)


def test_too_many_steps_are_refused():
    with pytest.raises(BlemishError, match="expected at most 2000 steps"):
        replace(WALK, step=1e-6)
