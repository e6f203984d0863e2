"""Frames small, against brute force and other decoders."""

import base64
import io

import numpy as np
from PIL import Image

from scenes.gallery.thumbnails import LENGTH, picture, pooled, runs, thumbnail_size


def test_a_pixel_of_a_small_mask_has_every_bit_of_what_it_shows() -> None:
    rng = np.random.default_rng(0)
    bits = (rng.random((113, 250)) < 0.02).astype(np.uint16) << rng.integers(0, 16, (113, 250)).astype(np.uint16)
    found = pooled(bits, (40, 90))
    expected = np.zeros((40, 90), np.uint16)
    for row in range(113):
        for column in range(250):
            at = max(r for r in range(40) if r * 113 // 40 <= row), max(c for c in range(90) if c * 250 // 90 <= column)
            expected[at] |= bits[row, column]
    assert np.array_equal(found, expected)


def test_runs_tell_every_pixel_however_long_they_are() -> None:
    rng = np.random.default_rng(1)
    for bits in (
        rng.integers(0, 4, (30, 41)).astype(np.uint16),
        np.full((400, 500), 7, np.uint16),
        np.full((1, 0xFFFF), 3, np.uint16),
        np.repeat([1, 2], 70000).astype(np.uint16)[None],
    ):
        pairs = np.frombuffer(base64.b64decode(runs(bits)), "<u2").reshape(-1, 2)
        assert np.array_equal(np.repeat(pairs[:, 0], pairs[:, 1]), bits.ravel())


def test_pictures_of_any_kind_are_small_and_look_the_same() -> None:
    grey = np.tile(np.linspace(0, 255, 400), (300, 1))
    for image in (
        grey.astype(np.uint8),
        (grey * 257).astype(np.uint16),
        np.repeat(grey[..., None], 3, 2).astype(np.uint8),
    ):
        small = Image.open(io.BytesIO(base64.b64decode(picture(image))))
        assert small.format == "WEBP"
        assert max(small.size) == LENGTH
        expected = np.asarray(Image.fromarray(grey.astype(np.uint8)).resize(small.size))
        assert np.abs(np.asarray(small.convert("L")).astype(int) - expected).max() < 12
    assert thumbnail_size(60, 90) == (60, 90)  # nothing is enlarged
    assert picture(image) == picture(image)
