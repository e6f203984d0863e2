"""Crazing: the angles at which its cracks meet, the size of its cells, and that it is one network."""

from dataclasses import replace

import numpy as np
import pytest

from procgen.defects.cracks import CrazingParameters, simulate_crazing
from procgen.defects.cracks.graph import degrees
from procgen.errors import BlemishError

CRAZING = CrazingParameters(width=1e-4, depth=5e-5, cell=3e-3)
SIZE = (0.04, 0.03)


def network(seed=0, **changes):
    return simulate_crazing(replace(CRAZING, **changes), SIZE, np.random.default_rng(seed))


def angles_at_junctions(graph):
    """(J, 3) degrees between neighbouring cracks, rising, at the places on the chart where three meet."""
    angles = []
    for vertex in np.flatnonzero(degrees(len(graph.vertices), graph.edges) == 3):
        if (graph.vertices[vertex] > 0).all() and (graph.vertices[vertex] < SIZE).all():
            ends = graph.edges[(graph.edges == vertex).any(axis=1)].sum(axis=1) - vertex
            way = graph.vertices[ends] - graph.vertices[vertex]
            heading = np.sort(np.degrees(np.arctan2(way[:, 1], way[:, 0])))
            angles.append(np.sort(np.append(np.diff(heading), 360 + heading[0] - heading[2])))
    return np.array(angles)


def test_younger_cracks_meet_older_ones_at_right_angles():
    angles = angles_at_junctions(network(winding=0.0))
    assert len(angles) > 100
    np.testing.assert_allclose(np.median(angles, axis=0), [90, 90, 180], atol=6)
    assert np.mean(np.abs(angles[:, 2] - 180) < 20) > 0.9


def test_matured_cracks_meet_at_120_degrees():
    angles = angles_at_junctions(network(junctions="triple", winding=0.0))
    assert len(angles) > 150
    # Measured to the first vertex of a bent crack, which has turned a little by then.
    assert np.mean(np.abs(angles - 120) < 15) > 0.9
    np.testing.assert_allclose(np.median(angles, axis=0), 120, atol=8)


@pytest.mark.parametrize("junctions", ["right", "triple"])
def test_cells_have_the_size_asked_for_on_average(junctions):
    """A network of three-way junctions has two of them for each cell (Euler)."""
    counts = [len(angles_at_junctions(network(seed, junctions=junctions))) for seed in range(4)]
    area = SIZE[0] * SIZE[1] / (np.mean(counts) / 2)
    assert np.sqrt(area) == pytest.approx(3e-3, rel=0.15)


@pytest.mark.parametrize("junctions", ["right", "triple"])
def test_network_covers_the_chart_in_one_piece(junctions):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = network(5, junctions=junctions)
    count = len(graph.vertices)
    links = coo_array((np.ones(len(graph.edges)), graph.edges.T), shape=(count, count))
    _, piece = connected_components(links, directed=False)
    on_chart = graph.edges[:, 0][(graph.vertices[graph.edges[:, 0]] > 0).all(axis=1)]
    assert np.mean(piece[on_chart] == np.bincount(piece[on_chart]).argmax()) > 0.99
    middles = graph.vertices[graph.edges].mean(axis=1)
    for corner in ((0, 0), (0.04, 0), (0, 0.03), (0.04, 0.03)):
        assert np.linalg.norm(middles - corner, axis=1).min() < 6e-3
    assert np.isfinite(graph.widths).all()


def test_older_cracks_gape_wider():
    graph = network(1, width_variation=0.0)
    assert graph.widths.max() == pytest.approx(1e-4, rel=0.2)
    on_edges = graph.widths[graph.edges]
    assert on_edges.min() == pytest.approx(4e-5, rel=0.2)


def test_a_patch_closes_towards_its_rim():
    centre = np.array([0.012, 0.02])
    parameters = replace(CRAZING, radius=8e-3, width_variation=0.0)
    graph = simulate_crazing(parameters, SIZE, np.random.default_rng(0), centre)
    distance = np.linalg.norm(graph.vertices - centre, axis=1)
    assert not graph.widths[distance >= 8e-3].any()
    used = np.unique(graph.edges)
    assert distance[used].max() < 9e-3
    ring = used[(distance[used] > 6.5e-3) & (distance[used] < 8e-3)]
    assert graph.widths[ring].mean() < 0.7 * graph.widths[used[distance[used] < 4e-3]].mean()


def test_cells_too_many_to_simulate_are_refused():
    with pytest.raises(BlemishError, match="expected at most 1000: use larger cells or a smaller patch"):
        network(cell=2e-4)
    with pytest.raises(BlemishError, match="junctions 'left'; expected 'right' or 'triple'"):
        replace(CRAZING, junctions="left")
