"""Masks as polygons and boxes, against OpenCV and brute force."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from scenes.formats.labels.outlines import box_mask, filled, oriented_box, outline
from scenes.pictures.run_lengths import box_of

EIGHT = np.ones((3, 3))
MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.booleans()).filter(np.any)


def by_opencv(points, shape):
    picture = np.zeros(shape, np.uint8)
    cv2.fillPoly(picture, [points.astype(np.int32)], 1)
    return picture.astype(bool)


@settings(max_examples=300)
@given(MASKS)
def test_the_outline_of_a_part_without_holes_is_filled_to_that_part(mask):
    labels, count = ndimage.label(mask, EIGHT)
    for number in range(1, count + 1):
        part = ndimage.binary_fill_holes(labels == number)
        points = outline(part)
        np.testing.assert_array_equal(filled(points, mask.shape), part)
        np.testing.assert_array_equal(by_opencv(points, mask.shape), part)
        again = outline(filled(points, mask.shape))
        np.testing.assert_array_equal(again, points)


@settings(max_examples=200)
@given(MASKS)
def test_the_outline_of_several_parts_holds_all_of_them_in_one_path(mask):
    points = outline(mask)
    found = filled(points, mask.shape)
    assert (found | ~ndimage.binary_fill_holes(mask, EIGHT)).all()
    assert found[mask].all()
    with_lines = by_opencv(points, mask.shape)  # Pillow leaves out some of a slanted line's pixels, OpenCV none
    assert ndimage.label(with_lines, EIGHT)[1] == 1
    np.testing.assert_array_equal(with_lines[mask], True)


def test_parts_are_joined_where_they_are_nearest():
    mask = np.zeros((9, 30), bool)
    mask[1:4, 1:5] = mask[5:8, 1:5] = mask[2:7, 20:29] = True
    lost = filled(outline(mask), mask.shape) & ~mask
    assert 15 <= lost.sum() <= 3 * 16  # a line to the far part, and one pixel to the near one


@settings(max_examples=200)
@given(MASKS)
def test_the_oriented_box_holds_every_pixel_and_no_rectangle_is_smaller(mask):
    corners = oriented_box(mask)
    sides = np.roll(corners, -1, axis=0) - corners
    np.testing.assert_allclose((sides * np.roll(sides, -1, axis=0)).sum(axis=1), 0, atol=1e-9)
    pixels = np.argwhere(mask)[:, ::-1]
    every = np.concatenate([pixels + offset for offset in np.array([(0, 0), (0, 1), (1, 0), (1, 1)])])
    for corner, side in zip(corners, sides, strict=True):
        towards = every - corner
        assert (side[0] * towards[:, 1] - side[1] * towards[:, 0]).min() > -1e-6
    area = np.prod(np.linalg.norm(sides[:2], axis=1))
    _, (width, height), _ = cv2.minAreaRect(every.astype(np.float32))
    assert area == pytest.approx(width * height, rel=1e-3)


@settings(max_examples=200)
@given(MASKS)
def test_a_box_covers_the_pixels_within_its_edges(mask):
    left, top, width, height = box_of(mask)
    rows, columns = np.nonzero(mask)
    assert (left, top, left + width, top + height) == (
        columns.min(), rows.min(), columns.max() + 1, rows.max() + 1,
    )  # fmt: skip
    expected = np.zeros_like(mask)
    expected[top : top + height, left : left + width] = True
    np.testing.assert_array_equal(box_mask(left, top, left + width, top + height, mask.shape), expected)
    assert list(box_of(np.zeros((3, 4), bool))) == [0, 0, 0, 0]
