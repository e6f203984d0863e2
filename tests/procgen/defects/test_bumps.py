"""Bumps: the plate's deflection against closed forms of the books and against a numerical solution."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_bvp

from procgen.defects.bumps import VISIBLE_SHARE, Bump, clamped_deflection
from procgen.errors import BlemishError
from procgen.surface.anchor import Anchor

HERE = Anchor((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
LOAD, RADIUS, STIFFNESS = 40.0, 0.02, 15.0


def test_point_load_is_the_closed_form():
    """w = P/16πD · (b² − r² + 2r² ln(r/b)), Timoshenko and Woinowsky-Krieger, eq. 92."""
    r = np.linspace(1e-6, RADIUS, 300)
    expected = LOAD / (16 * math.pi * STIFFNESS) * (RADIUS**2 - r**2 + 2 * r**2 * np.log(r / RADIUS))
    np.testing.assert_allclose(clamped_deflection(r, LOAD, RADIUS, 0.0, STIFFNESS), expected, atol=1e-15)
    middle = clamped_deflection(0.0, LOAD, RADIUS, 0.0, STIFFNESS)
    assert middle == pytest.approx(LOAD * RADIUS**2 / (16 * math.pi * STIFFNESS), rel=1e-12)


def test_even_pressure_over_the_whole_plate_is_the_closed_form():
    """w = q/64D · (b² − r²)², the same, eq. 62."""
    r = np.linspace(0, RADIUS, 300)
    pressure = LOAD / (math.pi * RADIUS**2)
    expected = pressure / (64 * STIFFNESS) * (RADIUS**2 - r**2) ** 2
    np.testing.assert_allclose(clamped_deflection(r, LOAD, RADIUS, RADIUS, STIFFNESS), expected, atol=1e-15)


@pytest.mark.parametrize("share", [0.1, 0.35, 0.8])
def test_pressure_over_a_part_of_the_plate_solves_the_plate_equation(share):
    """The moment follows from the shear force that equilibrium demands, Q = P(min(r, c)/c)² / 2πr."""

    def equation(r, state):
        _, slope, moment = state  # moment: (1/r)(r w')', whose derivative is Q/D
        shear = np.minimum(r / share, 1.0) ** 2 / (2 * math.pi * r)
        return np.stack([slope, moment - slope / r, shear])

    start = 1e-6
    mesh = np.unique(np.concatenate([np.geomspace(start, share, 200), np.linspace(share, 1, 200)]))
    found = solve_bvp(
        equation,
        lambda inner, rim: np.array([inner[1] - 0.5 * start * inner[2], rim[0], rim[1]]),
        mesh,
        np.zeros((3, len(mesh))),
        tol=1e-8,
        max_nodes=100_000,
    )
    assert found.success
    r = np.linspace(0.01, 1.0, 200)
    np.testing.assert_allclose(clamped_deflection(r, 1.0, 1.0, share, 1.0), found.sol(r)[0], atol=2e-9)


def test_deflection_is_linear_in_the_load_and_inverse_in_the_stiffness():
    r = np.linspace(0, 1.2 * RADIUS, 100)
    one = clamped_deflection(r, LOAD, RADIUS, 0.004, STIFFNESS)
    np.testing.assert_allclose(clamped_deflection(r, 7 * LOAD, RADIUS, 0.004, STIFFNESS), 7 * one, rtol=1e-14)
    np.testing.assert_allclose(clamped_deflection(r, LOAD, RADIUS, 0.004, 7 * STIFFNESS), one / 7, rtol=1e-14)
    assert not one[r >= RADIUS].any()


def test_the_layer_is_the_deflection_at_its_height():
    x = np.linspace(0, 0.025, 400)
    sample = Bump(HERE, RADIUS, 3e-4, 0.004, instance=2).evaluate(np.stack([x, 0 * x, 0 * x], axis=1))
    share = clamped_deflection(x, 1.0, RADIUS, 0.004, 1.0) / clamped_deflection(0.0, 1.0, RADIUS, 0.004, 1.0)
    np.testing.assert_allclose(sample.height, 3e-4 * share, atol=1e-10)
    np.testing.assert_array_equal(sample.inside, share >= VISIBLE_SHARE)
    np.testing.assert_array_equal(sample.instance, 2 * sample.inside)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 0.0}, "height = 0; expected a finite number, positive"),
        ({"radius": float("inf")}, "radius = inf"),
        ({"contact_radius": 0.03}, r"contact_radius = 0\.03 m; expected at most the radius, 0\.02 m"),
    ],
)
def test_bumps_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        Bump(**{"anchor": HERE, "radius": RADIUS, "height": 3e-4} | changes)
