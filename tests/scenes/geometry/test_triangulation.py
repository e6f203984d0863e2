"""Polygons cut into triangles: their areas against the shoelace formula, whatever the outline."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.geometry.triangulation import FoldedPolygon, triangulated

FRAME = [(0, 0), (60, 0), (60, 60), (0, 60), (0, 0), (20, 20), (20, 40), (40, 40), (40, 20), (20, 20)]
CORNER = [(0, 0), (60, 0), (60, 20), (20, 20), (20, 60), (0, 60)]
DART = [(0, 0), (40, 20), (0, 40), (20, 20)]


def shoelace(outline: np.ndarray) -> float:
    x, y = np.asarray(outline, dtype=float).T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


def signed_areas(outline: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    return np.array([shoelace(np.asarray(outline, dtype=float)[triangle]) for triangle in triangles])


@pytest.mark.parametrize(("outline", "area"), [(CORNER, 2000), (DART, 400), (FRAME, 3200)])
@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("turn", [1, -1])
def test_reflex_corners_and_bridged_holes_keep_their_area(outline: list, area: float, first: int, turn: int) -> None:
    flat = np.roll(np.array(outline, dtype=float), -first, axis=0)[::turn]
    if outline is FRAME and first:
        flat = np.array(outline, dtype=float)[::turn]  # its first corner is twice in the list
    space = np.column_stack([flat, np.full(len(flat), 7.0)])
    areas = signed_areas(flat, triangulated(space, [list(range(len(flat)))]))
    assert (turn * areas > 0).all()
    assert areas.sum() == pytest.approx(turn * area)


@given(
    radii=st.lists(st.floats(1, 30), min_size=4, max_size=40),
    seed=st.integers(0, 1000),
    first=st.integers(0, 39),
    clockwise=st.booleans(),
)
def test_any_star_in_any_plane_is_tiled(radii: list[float], seed: int, first: int, clockwise: bool) -> None:
    angle = 2 * np.pi * np.arange(len(radii)) / len(radii)
    flat = np.roll(np.array(radii)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), first, axis=0)
    flat = flat[::-1] if clockwise else flat
    frame = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]
    triangles = triangulated(flat @ frame[:2] + 100 * frame[2], [list(range(len(flat)))])
    areas = signed_areas(flat, triangles) * (-1 if clockwise else 1)
    assert areas.min() > -1e-9 * abs(shoelace(flat))  # turned as the polygon is, so that none overlaps another
    assert areas.sum() == pytest.approx(abs(shoelace(flat)))


def test_triangles_come_in_the_order_of_their_polygons_and_convex_ones_are_fans() -> None:
    points = np.array([(0, 0, 0), (9, 0, 0), (9, 9, 0), (0, 9, 0), (4, 4, 9)], dtype=float)
    polygons = [[0, 1, 2, 3], [0, 1, 4], [1, 2, 4], [3, 2, 1, 0]]
    assert triangulated(points, polygons).tolist() == [
        [0, 1, 2], [0, 2, 3], [0, 1, 4], [1, 2, 4], [3, 2, 1], [3, 1, 0]
    ]  # fmt: skip
    assert triangulated(points, []).shape == (0, 3)


@pytest.mark.parametrize("outline", [[(0, 0), (9, 9), (9, 0), (0, 9)], [(0, 9), (5, 0), (0, 0), (9, 9), (9, 1)]])
def test_outlines_that_cross_themselves_are_refused_by_their_number(outline: list) -> None:
    space = np.column_stack([np.array(outline, dtype=float), np.zeros(len(outline))])
    with pytest.raises(FoldedPolygon) as refusal:
        triangulated(
            np.concatenate([[(0, 0, 1), (1, 0, 1), (0, 1, 1)], space]), [[0, 1, 2], list(range(3, len(space) + 3))]
        )
    assert refusal.value.polygon == 1


def test_polygons_without_area_are_no_crossing() -> None:
    line = np.array([(0, 0, 0), (4, 0, 0), (9, 1e-9, 0), (2, 0, 0)], dtype=float)
    assert triangulated(line, [[0, 1, 2, 3], [0, 1, 1, 0]]).shape == (4, 3)
