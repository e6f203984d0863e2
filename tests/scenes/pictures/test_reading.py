"""The same picture stored in many ways is read as the same pixels, or refused."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from procgen.errors import BlemishNote
from scenes.pictures import png
from scenes.pictures.decoding import load, measure, turned
from scenes.pictures.errors import PictureError
from scenes.pictures.reading import (
    ReadingOptions,
    pictures_in,
    read_photograph,
    read_rgb,
    read_valid_mask,
    with_white_level,
)

GREY = np.random.default_rng(0).integers(20, 200, (24, 40)).astype(np.uint8)
COLOUR = np.random.default_rng(1).integers(20, 200, (24, 40, 3)).astype(np.uint8)
ROWS = {  # how rows lie in a file whose EXIF orientation makes a viewer turn them back, by Pillow's own names
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", ROWS)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_pictures_are_read_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a{suffix}"
    lossless = {".webp": {"lossless": True}, ".jpg": {"quality": 100}}.get(suffix, {})
    Image.fromarray(GREY).convert("RGB").transpose(ROWS[orientation]).save(path, exif=exif, **lossless)
    assert measure(path).shape == GREY.shape
    assert np.abs(read_rgb(path)[..., 0].astype(int) - GREY).max() <= (40 if suffix == ".jpg" else 0)
    assert read_photograph(path).pixels.shape[:2] == GREY.shape
    assert np.array_equal(turned(np.asarray(Image.fromarray(GREY).transpose(ROWS[orientation])), orientation), GREY)


def sixteen(white: int) -> np.ndarray:
    return np.rint(GREY / 255 * white).astype(np.uint16)


@pytest.mark.parametrize(
    ("values", "white"),
    [
        (sixteen(65535), 65535),
        (sixteen(16383), 16383),
        (sixteen(4095), 4095),
        (sixteen(1023), 1023),
        (sixteen(255).astype(np.int32), 255),
        (sixteen(32767).astype(np.int16), 32767),
        (sixteen(127).astype(np.int8), 127),
    ]
    + [((GREY / 255 * white).astype(np.float32), white) for white in (1, 255, 65535)],
)
def test_one_white_level_is_found_for_a_set_and_told(tmp_path: Path, values: np.ndarray, white: float) -> None:
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, values if name == "a.tif" else values // 3)
    paths = pictures_in(tmp_path)
    with pytest.warns(BlemishNote, match=rf"tiles: white is taken to be {white:g}, .* 2 pictures"):
        options = with_white_level(paths, ReadingOptions(), "tiles")
    assert options.white_level == white
    assert np.abs(read_rgb(paths[0], options)[..., 0].astype(int) - GREY).max() <= 1
    assert with_white_level(paths, ReadingOptions(white_level=7), "tiles").white_level == 7
    photograph = read_photograph(paths[0], options).pixels
    assert np.abs(photograph / 65535 * 255 - GREY).max() < 1


def test_floats_beside_whole_numbers_have_no_white_in_common(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", (GREY / 255).astype(np.float32))
    tifffile.imwrite(tmp_path / "b.tif", sixteen(4095))
    with pytest.raises(
        PictureError, match=r"tiles: a\.tif holds floats up to 0\.\d+, b\.tif whole numbers up to \d+; save"
    ):
        with_white_level(pictures_in(tmp_path), ReadingOptions(), "tiles")


def test_the_one_picture_that_decides_what_white_is_is_named(tmp_path: Path) -> None:
    for name, white in (("a", 4095), ("b", 4095), ("hot", 4095)):
        values = sixteen(white)
        values[0, 0] = 65535 if name == "hot" else 3000
        tifffile.imwrite(tmp_path / f"{name}.tif", values)
    with pytest.warns(BlemishNote, match=r"white is taken to be 65535, .* is 65535 of hot\.tif, the others' 3\d{3};"):
        with_white_level(pictures_in(tmp_path), ReadingOptions(), "tiles")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.png", b"", "is empty"),
        ("text.png", b"version https://git-lfs.github.com/spec/v1\n", "no picture format that is known"),
    ],
)
def test_what_is_no_picture_is_told(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PictureError, match=rf"{name}: .*{told}"):
        measure(tmp_path / name)


def test_tiffs_of_channels_that_are_no_colours_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([GREY] * 5), photometric="minisblack", planarconfig="contig")
    with pytest.raises(PictureError, match=r"a\.tif: is a TIFF of channels or a compression that are not read"):
        read_rgb(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([sixteen(65535)] * 4), photometric="separated")
    with pytest.raises(PictureError, match=r"a\.tif: has 4 channels; expected grey or RGB"):
        read_rgb(tmp_path / "a.tif")


def test_floats_without_a_white_level_and_values_beyond_16_bits_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", (GREY / 255).astype(np.float32))
    with pytest.raises(PictureError, match=r"a\.tif: holds float32 values up to .*--white-level"):
        read_rgb(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.uint32) << 20)
    with pytest.raises(PictureError, match="beyond 16 bits; say what white is"):
        with_white_level([tmp_path / "a.tif"], ReadingOptions(), "tiles")
    tifffile.imwrite(tmp_path / "a.tif", np.full((20, 20), np.nan, np.float32))
    with pytest.raises(PictureError, match="no numbers"):
        with_white_level([tmp_path / "a.tif"], ReadingOptions(), "tiles")


def test_tiffs_of_every_layout_are_read(tmp_path: Path) -> None:
    deep = COLOUR.astype(np.uint16) * 257
    layouts = {
        "grey inverted": (65535 - GREY.astype(np.uint16) * 257, {"photometric": "miniswhite"}),
        "grey 8 inverted": (255 - GREY, {"photometric": "miniswhite"}),
        "planar": (np.moveaxis(deep, 2, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        "planar 8": (np.moveaxis(COLOUR, 2, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        "contiguous": (deep, {"photometric": "rgb"}),
        "deflated": (deep, {"photometric": "rgb", "compression": "zlib"}),
        "big": (deep, {"photometric": "rgb", "bigtiff": True}),
    }
    for name, (values, how) in layouts.items():
        tifffile.imwrite(tmp_path / "a.tif", values, **how)
        expected = np.repeat(GREY[..., None], 3, axis=2) if name.startswith("grey") else COLOUR
        assert np.array_equal(read_rgb(tmp_path / "a.tif"), expected), name


def test_files_of_several_pictures_are_refused_and_thumbnails_passed_over(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY, GREY]), photometric="minisblack")
    with pytest.raises(PictureError, match=r"a\.tif: holds 2 pictures"):
        read_rgb(tmp_path / "a.tif")
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(GREY)
        tiff.write(GREY[::4, ::4], subfiletype=1)
    assert np.array_equal(read_rgb(tmp_path / "a.tif")[..., 0], GREY)


@pytest.mark.parametrize("channels", [3, 4])
def test_deep_colour_png_of_other_programs_is_read(tmp_path: Path, channels: int) -> None:
    rng = np.random.default_rng(2)
    smooth = np.cumsum(rng.integers(-300, 300, (40, 50, channels)), axis=1) + 30000
    values = smooth.clip(1, 65535).astype(np.uint16)
    order = [2, 1, 0, 3][:channels]
    cv2.imwrite(str(tmp_path / "a.png"), values[..., order], [cv2.IMWRITE_PNG_COMPRESSION, 6])  # with every filter
    content = (tmp_path / "a.png").read_bytes()
    rows = np.frombuffer(
        zlib.decompress(b"".join(body for kind, body in png.pieces(io.BytesIO(content)) if kind == b"IDAT")), np.uint8
    ).reshape(40, -1)
    assert {2, 3, 4} & set(rows[:, 0].tolist())
    assert np.array_equal(png.decode_deep_colour(content), values)
    expected = np.rint(values[..., :3] / 257)
    assert np.array_equal(read_rgb(tmp_path / "a.png"), expected)


def test_transparency_is_told_and_what_is_wholly_transparent_refused(tmp_path: Path) -> None:
    values = np.dstack([COLOUR, np.full(GREY.shape, 255, np.uint8)])
    values[:, 30:, 3] = 0
    Image.fromarray(values).save(tmp_path / "a.png")
    seen = read_valid_mask(tmp_path / "a.png")
    assert seen is not None
    assert np.array_equal(seen, values[..., 3] > 0)
    assert not read_rgb(tmp_path / "a.png")[~seen].any()
    values[..., 3] = 0
    Image.fromarray(values).save(tmp_path / "a.png")
    for read in (read_rgb, read_valid_mask):
        with pytest.raises(PictureError, match=r"a\.png: is wholly transparent"):
            read(tmp_path / "a.png")


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">2I5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(png.SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + png.END)
    with pytest.raises(PictureError, match=r"is 60000 x 60000 pixels, more than 100 million; .*--most-pixels"):
        read_rgb(tmp_path / "a.png")
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    with pytest.raises(PictureError, match=r"is 40 x 24 pixels, more than 0\.0005 million"):
        read_rgb(tmp_path / "a.png", ReadingOptions(most_pixels=500))


def test_every_flipped_bit_of_a_png_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(GREY[:6, :6]).save(path)
    whole = path.read_bytes()
    for bit in range(8 * len(png.SIGNATURE), 8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(PictureError):
            read_rgb(path)


def test_hidden_files_are_no_pictures(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    (tmp_path / "._a.png").write_bytes(b"\0\5\x16\7")
    assert pictures_in(tmp_path) == [tmp_path / "a.png"]


def test_a_pipe_is_no_picture(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "a.png")
    with warnings.catch_warnings(), pytest.raises(PictureError, match="is no file"):
        read_rgb(tmp_path / "a.png")


def hostile(folder: Path) -> dict[str, Path]:
    good = np.full((30, 30, 4), 200, dtype=np.uint8)
    faults = {
        "is no picture": folder / "text.png",
        "is missing": folder / "absent.png",
        "is a folder": folder,
        "or more a side": folder / "tiny.png",
        "transparent": folder / "clear.png",
        "black and white": folder / "mask.png",
        "white-level": folder / "float.tif",
        "2 pictures": folder / "film.gif",
        r"truncated|can be read": folder / "cut.png",
    }
    (folder / "text.png").write_text("no picture")
    Image.new("L", (8, 8)).save(folder / "tiny.png")
    good[3, 3, 3] = 100
    Image.fromarray(good).save(folder / "clear.png")
    Image.new("1", (30, 30)).save(folder / "mask.png")
    Image.new("F", (30, 30)).save(folder / "float.tif")
    frames = [Image.new("L", (30, 30), level) for level in (10, 200)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:])
    (folder / "cut.png").write_bytes(png.encode(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8))[:-900])
    return faults


def test_hostile_photos_are_refused_in_one_sentence(tmp_path):
    for fault, path in hostile(tmp_path).items():
        with pytest.raises(PictureError, match=fault) as refusal:
            read_photograph(path)
        assert str(path) in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_deep_colour_tiff_is_read(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", pixels)
    assert np.array_equal(read_photograph(tmp_path / "deep.tif").pixels, pixels)


def test_pages_without_end_are_refused(tmp_path: Path) -> None:
    header = b"II*\0\x08\0\0\0\t\0\0\x01"
    pages = (2 * header + b"II*\0\x08\0") * 3 + 4 * header + b"\x04\0\x01\0\0\0\x11\0\0\0\x01\x01"
    (tmp_path / "a.tif").write_bytes(pages)  # the directory of pages points back at itself
    with pytest.raises(PictureError):
        read_rgb(tmp_path / "a.tif")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("height", [255, 256, 257, 600])
def test_tall_pictures_of_every_mode_are_what_numpy_makes_of_them(tmp_path, mode, height):
    rng, channels = np.random.default_rng(height), {"LA": (2,), "RGB": (3,), "RGBA": (4,)}.get(mode, ())
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65536, (height, 9), np.uint16))
    else:
        array = rng.integers(0, 256, (height, 9, *channels), np.uint8)
        picture = Image.fromarray(array).convert(mode) if mode in ("1", "P") else Image.fromarray(array)
    picture.save(tmp_path / "a.png")
    raster = load(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as written:
        expected = np.array(written)
    if mode == "P":
        assert np.array_equal(raster.indices, expected)
    elif mode in ("LA", "RGBA"):
        assert np.array_equal(raster.alpha, expected[..., -1])
        assert np.array_equal(raster.values, expected[..., 0] if mode == "LA" else expected[..., :3])
    else:
        assert np.array_equal(raster.values, expected)
