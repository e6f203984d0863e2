import numpy as np
import pytest

from scenes.camera.jpeg import through_jpeg


@pytest.mark.parametrize("quality", [1, 50, 100])
def test_a_grey_field_comes_back_as_it_went(quality: int) -> None:
    """The mean of a block is the one coefficient that every quality keeps to a step of its table."""
    flat = np.full((32, 40), 128, dtype=np.uint8)
    assert (through_jpeg(flat, quality) == 128).all()


def test_blocks_of_eight_pixels_stay_apart_where_quality_is_low() -> None:
    noise = np.random.default_rng(2).integers(90, 166, (256, 256), dtype=np.uint8)
    steps = np.abs(np.diff(through_jpeg(noise, 5).astype(float), axis=1)).mean(axis=0)
    at_seams = np.arange(255) % 8 == 7
    assert steps[at_seams].mean() > 1.5 * steps[~at_seams].mean()


def test_higher_quality_is_nearer_and_the_same_again() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    errors = [np.abs(through_jpeg(picture, quality).astype(int) - picture).mean() for quality in (10, 50, 95)]
    assert errors == sorted(errors, reverse=True)
    assert (through_jpeg(picture, 50) == through_jpeg(picture, 50)).all()


def test_colours_are_kept_at_half_the_resolution() -> None:
    """Columns of red and blue of the same luma, one pixel wide, come back as one purple."""
    striped = np.zeros((32, 32, 3), dtype=np.uint8)
    striped[:, ::2] = (100, 60, 80)
    striped[:, 1::2] = (60, 78, 92)  # 0.299, 0.587, 0.114: luma 74 of both
    back = through_jpeg(striped, 100).astype(int)
    assert np.abs(back[:, ::2] - back[:, 1::2]).max() <= 8
