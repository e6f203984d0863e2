"""Estimators of shape, against shapes that are known."""

from itertools import pairwise

import numpy as np
import pytest
from skimage.draw import disk, ellipse, line, polygon

from benchmarks.surface_statistics import (
    blob_statistics,
    box_dimension,
    energy_distance,
    line_statistics,
    longest_path,
    pruned,
    roughness_exponent,
)


def drawn(points, shape, width=1):
    """The mask of a polyline of (row, column) points, as broad as `width`."""
    from scipy.ndimage import distance_transform_edt

    mask = np.zeros(shape, dtype=bool)
    for start, end in pairwise(points):
        rows, columns = line(*np.rint(start).astype(int), *np.rint(end).astype(int))
        mask[rows, columns] = True
    return mask if width == 1 else distance_transform_edt(~mask) <= (width - 1) / 2


def koch(order):
    """Points of a Koch curve from (0, 0) to (0, 1)."""
    points = np.array([[0.0, 0.0], [0.0, 1.0]])
    turn = np.array([[0.5, -np.sqrt(0.75)], [np.sqrt(0.75), 0.5]])
    for _ in range(order):
        pieces = []
        for start, end in pairwise(points):
            third = (end - start) / 3
            pieces += [start, start + third, start + third + turn @ third, end - third]
        points = np.array([*pieces, points[-1]])
    return points


def self_affine(exponent, length, rng):
    """Heights of a path with a roughness exponent, by its spectrum."""
    frequency = np.fft.rfftfreq(4 * length, 1 / (4 * length))
    frequency[0] = np.inf
    phases = np.exp(2j * np.pi * rng.random(len(frequency)))
    heights = np.fft.irfft(frequency ** (-exponent - 0.5) * phases)[:length]
    return 12 * heights / heights.std()


@pytest.mark.parametrize("end", [(20, 380), (180, 380), (190, 20)])
@pytest.mark.parametrize("width", [3, 7])
def test_a_straight_line(end, width):
    found = line_statistics(drawn(np.array([(20, 20), end]), (210, 400), width))
    assert found.width == pytest.approx(width, rel=0.17)  # staircases count a little long
    assert found.width_variation < 0.3
    assert 0.92 < found.dimension < 1.05
    assert found.tortuosity == pytest.approx(1.0, abs=0.01)
    assert found.junctions == 0
    assert np.isnan(found.branch_angle)


def test_a_koch_curve_has_its_dimension():
    curve = drawn(40 + 900 * koch(5) + [290, 20], (400, 1000))
    assert box_dimension(curve) == pytest.approx(np.log(4) / np.log(3), abs=0.09)  # pixels end the fractal


def test_a_half_circle_is_longer_than_its_chord():
    angle = np.linspace(0, np.pi, 200)
    arc = drawn(np.column_stack([130 - 100 * np.sin(angle), 130 - 100 * np.cos(angle)]), (150, 260), 3)
    assert line_statistics(arc).tortuosity == pytest.approx(np.pi / 2, rel=0.02)


def test_width_variation_of_a_known_modulation():
    from scipy.ndimage import distance_transform_edt

    x = np.arange(600)
    half = np.broadcast_to(8 + 4 * np.sin(x / 25), (80, 600))
    bar = np.abs(np.arange(80)[:, None] - 40) <= half
    assert distance_transform_edt(bar).max() < 14
    assert line_statistics(bar).width_variation == pytest.approx(4 / np.sqrt(2) / 8, rel=0.15)


@pytest.mark.parametrize("angle", [35, 60, 85])
def test_a_fork_is_one_junction_with_its_angle(angle):
    fork = np.array([150.0, 150.0])
    mask = drawn(np.array([(150, 20), fork]), (300, 300), 3)
    for side in (-0.5, 0.5):
        away = 120 * np.array([np.sin(np.radians(side * angle)), np.cos(np.radians(side * angle))])
        mask |= drawn(np.array([fork, fork + away]), (300, 300), 3)
    found = line_statistics(mask)
    assert found.junctions == pytest.approx(1000 / 370, rel=0.1)
    assert found.branch_angle == pytest.approx(angle, abs=15)  # where a fork begins, its branches are one


def test_roughness_exponents_are_told_apart():
    rng = np.random.default_rng(0)
    found = {}
    for exponent in (0.5, 0.8):
        paths = (np.column_stack([self_affine(exponent, 400, rng), np.arange(400)]) for _ in range(12))
        found[exponent] = np.mean([roughness_exponent(path) for path in paths])
    assert found[0.5] == pytest.approx(0.5, abs=0.1)
    assert 0.6 < found[0.8] < 0.8  # less than it is, as the chord takes a trend away
    assert found[0.8] > found[0.5] + 0.08


def test_spurs_go_and_branches_stay():
    skeleton = drawn(np.array([(50, 5), (50, 195)]), (100, 200))
    skeleton[45:50, 60] = True
    skeleton[20:50, 120] = True
    kept = pruned(skeleton)
    assert not kept[45:48, 60].any()
    assert kept[20:45, 120].all()
    assert kept[50, 10:190].all()


def test_the_longest_path_takes_the_longer_branch():
    skeleton = drawn(np.array([(50, 5), (50, 150)]), (100, 200)) | drawn(np.array([(50, 60), (90, 60)]), (100, 200))
    path = longest_path(skeleton)
    assert {tuple(path[0]), tuple(path[-1])} == {(50.0, 5.0), (50.0, 150.0)}
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() < 1.5


def test_circles_and_ellipses():
    mask = np.zeros((200, 300), dtype=bool)
    mask[disk((60, 60), 30)] = True
    mask[ellipse(130, 200, 20, 50)] = True
    circle, oval = sorted(blob_statistics(mask), key=lambda blob: blob.eccentricity)
    assert circle.diameter == pytest.approx(60, rel=0.03)
    assert circle.eccentricity < 0.15
    assert circle.circularity == pytest.approx(1, abs=0.09)
    assert oval.eccentricity == pytest.approx(np.sqrt(1 - 0.4**2), abs=0.02)
    assert min(circle.solidity, oval.solidity) > 0.95


def test_a_star_is_not_solid():
    angle = np.linspace(0, 2 * np.pi, 11)[:-1]
    radius = np.where(np.arange(10) % 2, 20, 60)
    mask = np.zeros((150, 150), dtype=bool)
    mask[polygon(75 + radius * np.sin(angle), 75 + radius * np.cos(angle))] = True
    (star,) = blob_statistics(mask)
    assert star.solidity < 0.65
    assert star.circularity < 0.4


def test_energy_distance_of_shifted_samples():
    assert energy_distance([1.0, 2, 3], [1.0, 2, 3]) == 0
    assert energy_distance([0.0], [4.0]) == pytest.approx(np.sqrt(2 * 4))


def test_nothing_is_said_of_nothing():
    assert line_statistics(np.zeros((20, 20), dtype=bool)) is None
    assert blob_statistics(np.zeros((20, 20), dtype=bool)) == []
