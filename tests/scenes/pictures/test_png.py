from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scenes.pictures import png


@given(
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from([(), (3,)]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 2**32),
)
def test_arrays_come_back_whole(
    tmp_path_factory: pytest.TempPathFactory, kind: type, channels: tuple[int, ...], height: int, width: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("png") / "a.png"
    array = np.random.default_rng(seed).integers(0, np.iinfo(kind).max, (height, width, *channels), kind, endpoint=True)
    path.write_bytes(png.encode(array))
    back = png.read(path)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    assert png.size(path) == (height, width)


@pytest.mark.parametrize(("kind", "channels"), [(np.uint8, ()), (np.uint8, (3,)), (np.uint16, ())])
def test_pillow_reads_the_same_pixels(tmp_path: Path, kind: type, channels: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).integers(0, np.iinfo(kind).max, (9, 7, *channels), kind)
    (tmp_path / "a.png").write_bytes(png.encode(array))
    with Image.open(tmp_path / "a.png") as picture:
        picture.verify()
    with Image.open(tmp_path / "a.png") as picture:
        assert np.array_equal(np.asarray(picture), array)


@pytest.mark.parametrize("width", [1, 8, 37])
def test_pillow_reads_masks_of_one_bit(tmp_path: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "BAND", 4)
    array = np.random.default_rng(1).random((9, width)) < 0.5
    (tmp_path / "a.png").write_bytes(png.encode(array))
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "1"
        assert np.array_equal(np.asarray(picture), array)
    with pytest.raises(ValueError, match=r"found bool of shape \(2, 2, 3\)"):
        png.encode(np.zeros((2, 2, 3), bool))


def test_files_of_other_programs_are_read(tmp_path: Path) -> None:
    array = np.random.default_rng(1).integers(0, 256, (9, 7, 3), np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    assert np.array_equal(png.read(tmp_path / "a.png"), array)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("kept", [0, 7, 20, 33, 45, 0.5, 0.9])
def test_truncated_files_are_told(tmp_path: Path, kind: type, kept: float) -> None:
    path = tmp_path / "a.png"
    data = png.encode(np.random.default_rng(1).integers(0, 256, (30, 30, 3), kind))
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    with pytest.raises(png.PngError, match=r"is empty|is not a PNG|is truncated or damaged"):
        png.read(path)


def test_alpha_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(png.PngError, match="pixel format RGBA; expected grey or RGB"):
        png.read(tmp_path / "a.png")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_the_bytes_of_a_tall_picture_are_those_of_one_piece(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    rows = np.random.default_rng(1).integers(0, 40, (700, 30), kind)
    rows[100:400] = 7  # a run of lengths that bands part
    in_bands = png.encode(rows)
    monkeypatch.setattr(png, "BAND", 1000)
    assert png.encode(rows) == in_bands
    assert np.array_equal(png.decode(in_bands), rows)
