"""Photographs of all kinds, and what is none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes.pictures import png
from scenes.pictures.reading import PhotoError, read_photograph


def hostile(folder: Path) -> dict[str, Path]:
    good = np.full((30, 30, 4), 200, dtype=np.uint8)
    faults = {
        "is no photograph": folder / "text.png",
        "cannot be read": folder / "absent.png",
        "is a folder": folder,
        "or more a side": folder / "tiny.png",
        "transparent": folder / "clear.png",
        "black and white": folder / "mask.png",
        "pixel format F": folder / "float.tif",
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
        with pytest.raises(PhotoError, match=fault) as refusal:
            read_photograph(path)
        assert str(path) in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_deep_colour_tiff_is_read(tmp_path):
    import tifffile

    pixels = np.random.default_rng(0).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", pixels)
    assert np.array_equal(read_photograph(tmp_path / "deep.tif").pixels, pixels)
