"""The phase field: the laws that its minimisation must obey, and known limits of the crack that comes out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procgen.defects.cracks import PhaseFieldParameters, simulate_phase_field_crack
from procgen.defects.cracks.graph import degrees, edge_lengths, thinned
from procgen.defects.cracks.phase_field import REGULARISATION, RESIDUAL_STIFFNESS, Strip
from procgen.errors import BlemishError

CRACK = {"width": 3e-4, "depth": 2e-4}


def notched(rows=24, columns=36, spread=0.3, seed=0, notch=12):
    rng = np.random.default_rng(seed)
    strip = Strip(np.maximum(0.3, 1 + spread * rng.standard_normal((rows, columns))))
    strip.damage[rows // 2 - 1 : rows // 2 + 1, :notch] = 1.0
    return strip


@settings(max_examples=8)
@given(seed=st.integers(0, 100), spread=st.floats(0, 0.5))
def test_energy_never_rises_within_a_load_step_and_damage_never_heals(seed, spread):
    strip = notched(spread=spread, seed=seed)
    for load in (1.0, 1.5, 1.7, 2.0):
        before, energies = strip.damage.copy(), []
        for energy in strip.relax(load * strip.critical_load):
            energies.append(energy)
            assert (strip.damage >= before).all()
            before = strip.damage.copy()
        assert np.diff(energies).max() <= 1e-9 * energies[0]
    assert strip.damage.min() >= 0
    assert strip.damage.max() <= 1 + 1e-6


def test_energy_is_that_of_loops_over_cells_and_their_springs():
    strip = notched(5, 6, seed=3, notch=2)
    rng = np.random.default_rng(1)
    strip.damage, strip.displacement = rng.uniform(0, 1, (5, 6)), rng.standard_normal((5, 6))
    d, u, toughness, load = strip.damage, strip.displacement, strip.toughness, 0.7
    stiffness = (1 - d) ** 2 + RESIDUAL_STIFFNESS
    expected = 0.0
    for i in range(5):
        for j in range(6):
            expected += toughness[i, j] * d[i, j] ** 2 / (2 * REGULARISATION)
            for k, m in ((i + 1, j), (i, j + 1)):
                if k < 5 and m < 6:
                    expected += 0.5 * (stiffness[i, j] + stiffness[k, m]) / 2 * (u[i, j] - u[k, m]) ** 2
                    expected += REGULARISATION / 2 * (toughness[i, j] + toughness[k, m]) / 2 * (d[i, j] - d[k, m]) ** 2
    for j in range(6):
        expected += stiffness[0, j] * (u[0, j] + load) ** 2 + stiffness[4, j] * (u[4, j] - load) ** 2
    assert strip.energy(load) == pytest.approx(expected)


def test_a_strip_without_notch_shears_evenly():
    strip = Strip(np.ones((20, 30)))
    next(strip.relax(0.01))
    expected = 0.01 * ((np.arange(20) + 0.5) / 10 - 1)
    np.testing.assert_allclose(strip.displacement, np.tile(expected[:, None], 30), atol=1e-6)


def test_a_symmetric_strip_cracks_straight_along_its_middle():
    strip = notched(spread=0.0)
    for load in (1.4, 1.6, 1.8, 2.0):
        for _ in strip.relax(load * strip.critical_load):
            pass
    np.testing.assert_allclose(strip.damage, strip.damage[::-1], atol=1e-2)
    broken = strip.damage > 0.75
    assert broken[11:13].all()
    assert not broken[:10].any()


def test_a_crack_in_uniform_material_is_a_straight_line_from_start_to_end():
    parameters = PhaseFieldParameters(**CRACK, toughness_sigma=0.0, flaws=0)
    graph = simulate_phase_field_crack(parameters, (0.01, 0.02), (0.04, 0.03), np.random.default_rng(0))
    forward = np.array([0.03, 0.01]) / np.hypot(0.03, 0.01)
    from_start = graph.vertices - (0.01, 0.02)
    assert np.abs(from_start @ (-forward[1], forward[0])).max() < 1.01 * np.hypot(0.03, 0.01) / 128
    assert edge_lengths(graph.vertices, graph.edges).sum() == pytest.approx(np.hypot(0.03, 0.01), rel=0.02)
    assert degrees(len(graph.vertices), graph.edges).max() == 2


def test_flaws_lead_the_crack_astray():
    parameters = PhaseFieldParameters(**CRACK, toughness_sigma=0.1, flaws=10)
    graph = simulate_phase_field_crack(parameters, (0, 0), (0.04, 0), np.random.default_rng(2))
    assert np.ptp(graph.vertices[:, 1]) > 2e-3
    assert graph.vertices[:, 0].max() > 0.039
    tips = np.flatnonzero(degrees(len(graph.vertices), graph.edges) == 1)
    np.testing.assert_array_equal(graph.widths[tips], 0)


def test_thinning_finds_the_middle_of_a_band_and_its_junction():
    band = np.zeros((40, 60), dtype=bool)
    band[18:23, 2:58] = True
    band[22:38, 28:33] = True
    vertices, edges = thinned(band, shortest_spur=6)
    degree = degrees(len(vertices), edges)
    assert (degree == 3).sum() == 1
    assert (degree == 1).sum() == 3
    on_bar = vertices[(vertices[:, 1] < 25) & (vertices[:, 1] > 6)]
    np.testing.assert_allclose(on_bar[:, 0], 20, atol=1)


def test_start_at_the_end_and_narrow_strips_are_refused():
    with pytest.raises(BlemishError, match="same point"):
        simulate_phase_field_crack(PhaseFieldParameters(**CRACK), (0, 0), (0, 0), np.random.default_rng(0))
    with pytest.raises(BlemishError, match=r"breadth of 0\.1; expected at least 0\.3"):
        PhaseFieldParameters(**CRACK, breadth=0.1)
