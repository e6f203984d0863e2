"""The same mask stored in many ways marks the same pixels, or is refused."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from skimage.measure import label

from procgen.errors import BlemishNote
from scenes.pictures import bands as reading_bands
from scenes.pictures import on_disk, regions
from scenes.pictures.errors import PictureError
from scenes.pictures.masks import Numbers, read_mask, read_mask_rows
from scenes.pictures.on_disk import ArrayOnDisk

Read = Callable[..., Numbers]
SHAPE = (64, 80)
MARKED = np.zeros(SHAPE, bool)
MARKED[10:24, 20:40] = True


def grey(inside: int = 255, outside: int = 0) -> Image.Image:
    return Image.fromarray(np.where(MARKED, inside, outside).astype(np.uint8))


def rgba(*colour: int) -> Image.Image:
    return Image.fromarray(
        np.dstack([np.full((*SHAPE, 3), colour, np.uint8), np.where(MARKED, 255, 0).astype(np.uint8)])
    )


def drawn_on() -> Image.Image:
    """White on black, a quarter of the surface transparent."""
    values = np.array(grey().convert("RGBA"))
    values[:, 60:, 3] = 0
    return Image.fromarray(values)


def larger() -> Image.Image:
    return grey().resize((3 * SHAPE[1], 3 * SHAPE[0]), Image.Resampling.NEAREST)


def smooth(inside: int = 255) -> Image.Image:
    return grey(inside).filter(ImageFilter.GaussianBlur(2))


def shades_of_alpha(inside: int) -> Image.Image:
    return Image.merge("LA", (Image.new("L", SHAPE[::-1]), smooth(inside)))


def palette(ground: int, defect: int) -> Image.Image:
    indices = np.where(MARKED, defect, ground).astype(np.uint8)
    image = Image.frombytes("P", SHAPE[::-1], indices.tobytes())
    image.putpalette([68, 1, 84, 253, 231, 37, 200, 10, 10])
    return image


def jpeg(inside: int = 255, quality: int = 75) -> Image.Image:
    buffer = io.BytesIO()
    grey(inside).save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("L")


@pytest.fixture
def image_path(tmp_path: Path) -> Path:
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.fixture(params=["whole", "row by row", "by bands"])
def read(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """`read_mask`, or the same by bands from an array on a disk."""
    if request.param == "whole":
        return read_mask
    monkeypatch.setattr(on_disk, "LARGE", 1)
    monkeypatch.setattr(regions, "BAND", 1 if request.param == "row by row" else 11 * SHAPE[1])
    monkeypatch.setattr(reading_bands, "AT_ONCE", 7 * SHAPE[1])

    def by_bands(path: Path, image_path: Path, **options: bool) -> Numbers:
        found = read_mask_rows(path, image_path, folder=tmp_path, **options)
        assert isinstance(found, ArrayOnDisk)
        return found[:]

    return by_bands


@pytest.mark.parametrize(
    ("make", "noted"),
    [
        (grey, ""),
        (lambda: grey(1), ""),
        (lambda: grey(236), ""),
        (lambda: Image.fromarray(MARKED), ""),
        (lambda: grey().convert("RGB"), ""),
        (lambda: grey().convert("I;16"), ""),
        (lambda: rgba(255, 255, 255), "transparent"),
        (lambda: rgba(0, 0, 0), "transparent"),
        (lambda: rgba(9, 9, 9).convert("LA"), "transparent"),
        (lambda: palette(0, 1), ""),
        (lambda: palette(1, 0), "palette"),
        (lambda: palette(2, 1), "palette"),
        (jpeg, "half-tones"),
        (lambda: jpeg(128), "half-tones"),
        (lambda: jpeg(quality=95), "half-tones"),
        (smooth, "half-tones"),
        (lambda: smooth(100), "half-tones"),
        (lambda: smooth().convert("P"), "half-tones"),
        (lambda: larger().resize(SHAPE[::-1], Image.Resampling.LANCZOS).convert("P"), "half-tones"),
        (lambda: Image.fromarray(np.asarray(smooth(), np.float32) / 255), "half-tones"),
        (lambda: shades_of_alpha(255), "transparent"),
        (lambda: shades_of_alpha(60), "transparent"),
        (drawn_on, "not black"),
    ],
)
def test_masks_mark_the_same_however_they_are_stored(
    tmp_path: Path, image_path: Path, read: Read, make: Callable[[], Image.Image], noted: str
) -> None:
    mask = make()
    path = tmp_path / ("mask.tif" if mask.mode == "F" else "mask.png")
    mask.save(path)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        found = read(path, image_path) > 0
    exact = noted != "half-tones" and len(np.unique(np.asarray(mask))) <= 4  # values and channels
    assert found.sum() == pytest.approx(MARKED.sum(), rel=0 if exact else 0.1)
    assert label(found, connectivity=2).max() == 1
    assert [noted in str(note.message) for note in notes] == ([True] if noted else [])


def test_numbers_of_things_keep_their_meaning(tmp_path: Path, image_path: Path, read: Read) -> None:
    values = np.zeros(SHAPE, np.uint8)
    for number, level in enumerate((3, 85, 170, 255)):
        values[5:12, 5 + 15 * number : 15 + 15 * number] = level
    Image.fromarray(values).save(tmp_path / "mask.png")
    assert np.array_equal(read(tmp_path / "mask.png", image_path), values)
    Image.fromarray(values).save(tmp_path / "mask.png")
    assert np.array_equal(read(tmp_path / "mask.png", image_path, numbered=True), values)


def test_numbers_of_many_thin_and_touching_things_are_no_half_tones(
    tmp_path: Path, image_path: Path, read: Read
) -> None:
    values = np.zeros(SHAPE, np.uint8)
    for number in range(40):
        row, column = divmod(number, 8)
        values[2 + 12 * row, 2 + 10 * column : 9 + 10 * column] = number + 1
    values[3, 2:6] = 2  # along half of number 1
    Image.fromarray(values).save(tmp_path / "mask.png")
    assert np.array_equal(read(tmp_path / "mask.png", image_path), values)


def test_a_thin_antialiased_line_is_not_lost(tmp_path: Path, image_path: Path, read: Read) -> None:
    large = Image.new("L", (3 * SHAPE[1], 3 * SHAPE[0]))
    ImageDraw.Draw(large).line([(30, 60), (200, 80)], fill=255, width=2)
    large.resize(SHAPE[::-1], Image.Resampling.LANCZOS).save(tmp_path / "mask.png")
    with pytest.warns(BlemishNote, match="half-tones"):
        found = read(tmp_path / "mask.png", image_path) > 0
    assert np.count_nonzero(found.any(axis=0)) >= 55


def test_masks_without_ground_or_inverted_are_refused_and_empty_ones_told(
    tmp_path: Path, image_path: Path, read: Read
) -> None:
    for make in (lambda: grey(0, 255), lambda: grey(200, 90), lambda: Image.new("L", SHAPE[::-1], 255)):
        make().save(tmp_path / "mask.png")
        with pytest.raises(PictureError, match=r"mask\.png: marks \d+ % of the picture, so that it seems inverted"):
            read(tmp_path / "mask.png", image_path)
    Image.new("L", SHAPE[::-1]).save(tmp_path / "mask.png")
    with pytest.warns(BlemishNote, match=r"mask\.png: marks nothing"):
        read(tmp_path / "mask.png", image_path)
    Image.new("LA", SHAPE[::-1]).save(tmp_path / "mask.png")
    with pytest.raises(PictureError, match="wholly transparent"):
        read(tmp_path / "mask.png", image_path)


def test_masks_of_turned_pictures_are_read_upright_or_as_stored(tmp_path: Path, read: Read) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = tmp_path / "picture.jpg"
    Image.new("L", SHAPE[::-1]).transpose(Image.Transpose.ROTATE_90).save(picture, exif=exif)
    grey().save(tmp_path / "mask.png")
    assert np.array_equal(read(tmp_path / "mask.png", picture) > 0, MARKED)
    grey().transpose(Image.Transpose.ROTATE_90).save(tmp_path / "mask.png")
    with pytest.warns(BlemishNote, match="not upright"):
        assert np.array_equal(read(tmp_path / "mask.png", picture) > 0, MARKED)
    Image.new("L", (30, 30)).save(tmp_path / "mask.png")
    with pytest.raises(PictureError, match=r"30 × 30 pixels but its image picture\.jpg is 80 × 64, upright"):
        read(tmp_path / "mask.png", picture)
