"""Crops cover what they promise: round a pixel, anywhere, over the border; memory is kept within its bound."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anomaly.studies.engine import crops
from anomaly.studies.engine.labelled import Classes, LabelledPicture
from scenes.formats.sample import Sample


@pytest.mark.parametrize("pixel", [(0, 0), (39, 59), (20, 30), (0, 59)])
def test_a_window_round_a_pixel_holds_it_and_lies_within_the_picture(pixel: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    corners = {crops.window((40, 60), 16, rng, pixel) for _ in range(400)}
    assert all(row <= pixel[0] < row + 16 and column <= pixel[1] < column + 16 for row, column in corners)
    assert all(0 <= row <= 24 and 0 <= column <= 44 for row, column in corners)
    # as many different ones as there are windows of 16 that hold the pixel
    rows = len({r for r in range(25) if r <= pixel[0] < r + 16})
    columns = len({c for c in range(45) if c <= pixel[1] < c + 16})
    assert len({row for row, _ in corners}) == rows
    assert len({column for _, column in corners}) == columns


def test_windows_without_a_pixel_reach_everywhere() -> None:
    rng = np.random.default_rng(0)
    corners = [crops.window((20, 18), 16, rng) for _ in range(300)]
    assert {row for row, _ in corners} == set(range(5))
    assert {column for _, column in corners} == set(range(3))


def test_a_small_picture_is_continued() -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert crops.window(array.shape, 8, np.random.default_rng(0), (2, 3)) == (0, 0)
    part = crops.cut(array, (0, 0), 8)
    assert part.shape == (8, 8)
    assert (part[3:, 4:] == array[-1, -1]).all()
    filled = crops.cut(array, (0, 0), 8, 255)
    assert (filled[:3, :4] == array).all()
    assert (filled[3:] == 255).all()
    assert (filled[:, 4:] == 255).all()


def test_whole_pictures_have_sides_of_the_multiple() -> None:
    image = np.random.default_rng(0).integers(0, 256, (33, 64, 3), dtype=np.uint8)
    padded = crops.whole(image, 32)
    assert padded.shape == (64, 64, 3)
    assert (padded[:33] == image).all()
    assert (padded[33:] == image[-1]).all()


def test_decoded_pictures_are_kept_while_there_is_room() -> None:
    pictures = [LabelledPicture(Sample(str(k), str(k), "good", Path("none")), Classes(())) for k in range(3)]
    calls: list[str] = []

    def decode(picture: LabelledPicture) -> tuple[np.ndarray, None]:
        calls.append(picture.name)
        return np.zeros((10, 10, 3), np.uint8), None

    decoded = crops.DecodedPictures(pictures, decode, memory=2 * 2 * 300)
    for place in (0, 1, 0, 1):
        decoded[place]
    assert calls == ["0", "1"]
    decoded[2]  # in the place of 0, which was used longest ago
    decoded[1]
    decoded[0]
    assert calls == ["0", "1", "2", "0"]


def test_a_batch_is_normalised_as_the_packaged_weights_know_it() -> None:
    images = [np.full((2, 2, 3), grey, np.uint8) for grey in (0, 51, 255)]
    batch = crops.as_batch(images, "cpu")
    assert batch.shape == (3, 3, 2, 2)
    # mean and deviation .5 of values from 0 to 1
    torch.testing.assert_close(batch[:, 0, 0, 0], torch.tensor([-1.0, (0.2 - 0.5) / 0.5, 1.0]))
