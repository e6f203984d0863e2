"""Unrolling planes, cylinders and spheres around a place on them."""

import numpy as np
import pytest

from procgen.errors import BlemishError
from procgen.surface.anchor import Anchor
from procgen.surface.layer import SurfacePoints


def rotation(seed):
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    return matrix * np.sign(np.linalg.det(matrix))


def placed(positions, normals, tangents, turn):
    return SurfacePoints(positions @ turn.T + 0.3, normals @ turn.T, tangents @ turn.T)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("radius", [np.inf, 0.05, 0.011])
def test_cylinder_unrolls_to_its_chart(seed, radius):
    rng, turn = np.random.default_rng(seed), rotation(seed)
    u, v = rng.uniform(-0.008, 0.008, (2, 500))
    angle = u / radius
    across = u if np.isinf(radius) else radius * np.sin(angle)
    down = 0 * u if np.isinf(radius) else radius * (np.cos(angle) - 1)
    points = placed(
        np.stack([across, v, down], 1),
        np.stack([np.sin(angle), 0 * u, np.cos(angle)], 1),
        np.stack([np.cos(angle), 0 * u, -np.sin(angle)], 1),
        turn,
    )
    spin = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(spin), np.sin(spin), 0])
    anchor = Anchor((0.3, 0.3, 0.3), tuple(turn[:, 2]), tuple(turn @ along))
    near, local = anchor.unrolled(points, 0.02)
    assert near.tolist() == list(range(500))
    expected = np.stack([u * along[0] + v * along[1], -u * along[1] + v * along[0]], 1)
    np.testing.assert_allclose(local, expected, atol=1e-12)
    fewer, _ = anchor.unrolled(points, 0.005)
    np.testing.assert_array_equal(fewer, np.flatnonzero(np.hypot(u, v) <= 0.005))


def test_sphere_unrolls_along_great_circles():
    rng, radius = np.random.default_rng(3), 0.02
    distance, heading = rng.uniform(0, 0.03, 400), rng.uniform(0, 2 * np.pi, 400)
    angle = distance / radius
    normals = np.stack([np.sin(angle) * np.cos(heading), np.sin(angle) * np.sin(heading), np.cos(angle)], 1)
    tangents = np.stack([np.cos(angle) * np.cos(heading), np.cos(angle) * np.sin(heading), -np.sin(angle)], 1)
    near, local = Anchor((0.0, 0.0, 0.02), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)).unrolled(
        SurfacePoints(radius * normals, normals, tangents), 0.04
    )
    expected = distance[:, None] * np.stack([np.cos(heading), np.sin(heading)], 1)
    np.testing.assert_allclose(local, expected[near], atol=1e-10)
    assert len(near) == 400


def test_the_other_side_of_a_thin_wall_is_not_touched():
    both = np.array([[0.001, 0.0, 0.0], [0.001, 0.0, -0.001]])
    points = SurfacePoints(both, np.array([[0, 0, 1.0], [0, 0, -1.0]]), np.tile([1.0, 0, 0], (2, 1)))
    near, local = Anchor((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)).unrolled(points, 0.01)
    assert near.tolist() == [0]
    np.testing.assert_allclose(local, [[0.0, -0.001]])


def test_crooked_frames_are_refused():
    with pytest.raises(BlemishError, match="expected unit vectors at right angles"):
        Anchor((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.1, 1.0))
    with pytest.raises(BlemishError, match="found NaN"):
        Anchor((0.0, np.nan, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0))
