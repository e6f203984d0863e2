"""Pictures read band by band against the same pictures decoded whole, by Pillow and tifffile."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from scenes.pictures import bands, on_disk
from scenes.pictures.bands import raster_bands
from scenes.pictures.decoding import load, measure
from scenes.pictures.errors import PictureError
from scenes.pictures.on_disk import ArrayOnDisk, DiskError
from scenes.pictures.reading import ReadingOptions, check_readable, read_picture, read_rgb, read_valid_mask

HEIGHT, WIDTH = 61, 43
RNG = np.random.default_rng(5)
SMOOTH = (np.add.outer(np.arange(HEIGHT) * 3, np.arange(WIDTH) * 2) % 256).astype(np.uint8)  # every PNG filter is used
RGB = np.stack([SMOOTH, SMOOTH.T[:1, :1] + SMOOTH // 2, RNG.integers(0, 256, (HEIGHT, WIDTH), np.uint8)], axis=-1)
ALPHA = np.where(SMOOTH > 90, SMOOTH, 0).astype(np.uint8)
DEEP = SMOOTH.astype(np.uint16) * 257 + RNG.integers(0, 200, (HEIGHT, WIDTH), np.uint16)


def palette_picture():
    picture = Image.fromarray(RGB).quantize(11)
    picture.info["transparency"] = 3
    return picture


def saved(picture, path, **options):
    picture.save(path, **options)
    return path


PNGS = {
    "grey": (Image.fromarray(SMOOTH), {}),
    "grey with a transparent level": (Image.fromarray(SMOOTH), {"transparency": 30}),
    "grey and alpha": (Image.fromarray(np.stack([SMOOTH, ALPHA], axis=-1), "LA"), {}),
    "RGB": (Image.fromarray(RGB), {}),
    "RGB with a transparent colour": (Image.fromarray(RGB), {"transparency": tuple(RGB[7, 9].tolist())}),
    "RGBA": (Image.fromarray(np.dstack([RGB, ALPHA])), {}),
    "palette": (Image.fromarray(RGB).quantize(200), {}),
    "palette of 4 bits with transparency": (palette_picture(), {"transparency": 3}),
    "palette of 2 bits": (Image.fromarray(RGB).quantize(4), {"bits": 2}),
    "black and white": (Image.fromarray(SMOOTH > 100), {}),
    "grey of 16 bits": (Image.fromarray(DEEP), {}),
}


@pytest.fixture(autouse=True)
def _small_bands(monkeypatch):
    monkeypatch.setattr(bands, "AT_ONCE", 7 * WIDTH)
    monkeypatch.setattr(on_disk, "LARGE", 1)


def assert_read_alike(path: Path, tmp_path: Path, options=ReadingOptions(), is_banded=True, monkeypatch=None) -> None:
    whole, valid_mask = read_rgb(path, options), read_valid_mask(path, options)
    image, mask = read_picture(path, options, folder=tmp_path)
    assert isinstance(image, ArrayOnDisk)
    np.testing.assert_array_equal(image[:], whole)
    assert (mask is None) == (valid_mask is None)
    if mask is not None:
        np.testing.assert_array_equal(mask[:], valid_mask)
    check_readable(path, options)
    assert decoded_whole(path) != is_banded


def decoded_whole(path):
    """Whether reading bands decodes the whole file."""
    with pytest.MonkeyPatch.context() as patch:
        calls = []
        patch.setattr(bands, "load", lambda *given: (calls.append(given), load(*given))[1])
        list(raster_bands(path, measure(path)))
    return bool(calls)


@pytest.mark.parametrize("kind", PNGS)
def test_png(kind, tmp_path):
    picture, options = PNGS[kind]
    assert_read_alike(saved(picture, tmp_path / "a.png", **options), tmp_path)


@pytest.mark.parametrize("depth", [2, 4])
def test_png_of_grey_of_few_bits(depth, tmp_path):
    values = SMOOTH[:, :40] >> (8 - depth)
    each = 8 // depth
    packed = sum(values[:, k::each].astype(np.uint8) << (8 - depth * (k + 1)) for k in range(each))
    rows = np.pad(np.diff(packed, axis=0, prepend=np.uint8(0)), ((0, 0), (1, 0)), constant_values=2).tobytes()
    chunks = [
        (b"IHDR", struct.pack(">2I5B", 40, HEIGHT, depth, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    content = b"".join(struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png")[..., 0], values * (255 // (2**depth - 1)))
    assert_read_alike(tmp_path / "a.png", tmp_path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    png = saved(Image.fromarray(np.dstack([RGB, ALPHA])), tmp_path / "a.png", exif=exif)
    tiff = saved(Image.fromarray(RGB), tmp_path / "a.tif", compression="tiff_lzw", exif=exif, strip_size=600)
    assert_read_alike(png, tmp_path)
    assert_read_alike(tiff, tmp_path)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_bmp(mode, tmp_path):
    assert_read_alike(saved(Image.fromarray(RGB).convert(mode), tmp_path / "a.bmp"), tmp_path)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "P"])
def test_tiff_in_strips(compression, mode, tmp_path):
    if compression == "jpeg" and mode in ("RGBA", "1", "P"):
        pytest.skip("JPEG has none of these")
    picture = Image.fromarray(np.dstack([RGB, ALPHA])).convert(mode)
    assert_read_alike(saved(picture, tmp_path / "a.tif", compression=compression, strip_size=400), tmp_path)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "values", [RGB, DEEP, np.dstack([DEEP, DEEP // 2, DEEP // 3]), SMOOTH], ids=["RGB", "deep", "RGB16", "L"]
)
@pytest.mark.parametrize("layout", [{"rowsperstrip": 5}, {"rowsperstrip": HEIGHT}, {"tile": (16, 16)}], ids=str)
@pytest.mark.parametrize("is_big", [False, True])
def test_tiff_of_another_writer(values, layout, order, compression, is_big, tmp_path, monkeypatch):
    if is_big and order == ">" and values.dtype == np.uint8:
        pytest.skip("Pillow does not know these")
    predictor = {"predictor": True} if compression else {}
    tifffile.imwrite(
        tmp_path / "a.tif",
        values,
        photometric="rgb" if values.ndim == 3 else "minisblack",
        compression=compression,
        byteorder=order,
        bigtiff=is_big,
        **layout,
        **predictor,
    )
    is_one_strip = compression is not None and layout.get("rowsperstrip") == HEIGHT
    if is_one_strip:
        monkeypatch.setattr(bands, "LARGE", HEIGHT * WIDTH - 1)
    assert_read_alike(tmp_path / "a.tif", tmp_path, is_banded=not is_one_strip)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_what_cannot_be_parted_is_decoded_whole(suffix, tmp_path):
    assert_read_alike(saved(Image.fromarray(RGB), tmp_path / f"a{suffix}"), tmp_path, is_banded=False)


def test_damage_is_refused_as_of_the_whole(tmp_path):
    path = saved(Image.fromarray(RGB), tmp_path / "a.png")
    content = path.read_bytes()
    for damaged in (content[:-30], content[:900] + b"x" + content[901:]):
        path.write_bytes(damaged)
        with pytest.raises(PictureError, match="truncated or damaged"):
            read_picture(path, folder=tmp_path)
    with pytest.raises(PictureError, match="as its digest says"):
        read_picture(path, sha256="0" * 64, folder=tmp_path)


def test_a_wholly_transparent_picture_is_refused(tmp_path):
    path = saved(Image.fromarray(np.dstack([RGB, np.zeros_like(ALPHA)])), tmp_path / "a.png")
    for read in (check_readable, lambda path: read_picture(path, folder=tmp_path)):
        with pytest.raises(PictureError, match="wholly transparent"):
            read(path)


def test_an_array_on_disk_is_read_and_written_as_one_in_memory(tmp_path):
    rng, there, here = np.random.default_rng(0), ArrayOnDisk((31, 17, 3), np.float32, tmp_path), np.zeros((31, 17, 3))
    for _ in range(50):
        top, bottom = sorted(rng.integers(-3, 40, 2))
        left, right = sorted(rng.integers(0, 20, 2))
        part = (slice(top, bottom), slice(left, right)) if rng.random() < 0.5 else slice(top, bottom)
        there[part] = here[part] = rng.random()
        np.testing.assert_array_equal(there[:], here.astype(np.float32))
        np.testing.assert_array_equal(there[part], here[part].astype(np.float32))
    assert not list(tmp_path.iterdir())


def test_a_disk_without_room_is_named(tmp_path):
    with pytest.raises(DiskError, match=r"missing: takes no temporary file of 12 MB .*choose another --out"):
        ArrayOnDisk((1000, 4000, 3), np.uint8, tmp_path / "missing")
