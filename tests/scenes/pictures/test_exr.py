"""Our OpenEXR files beside the OpenEXR library: what it writes is read, and what is written it reads."""

import struct
from pathlib import Path

import numpy as np
import pytest

from scenes.pictures.exr import ExrError, decode, encode

openexr = pytest.importorskip("OpenEXR")
NAMES = ("R", "G", "B", "layer.pass.R", "layer.pass.G", "layer.pass.B", "layer.depth.V", "a.mask.A")
HEIGHT = 37  # two chunks of 16 lines and a part of one


def noise(height: int = HEIGHT) -> dict[str, np.ndarray]:
    """Channels of 7 pixels a line, half of them in half precision."""
    rng = np.random.default_rng(3)
    return {name: rng.normal(size=(height, 7)).astype(np.float16 if "pass" in name else np.float32) for name in NAMES}


def written(path: Path, channels: dict[str, np.ndarray], compression: str, **header: object) -> bytes:
    head = {"compression": getattr(openexr, compression), "type": openexr.scanlineimage, **header}
    with openexr.File(head, dict(channels)) as file:
        file.write(str(path))
    return path.read_bytes()


@pytest.mark.parametrize("compression", ["NO_COMPRESSION", "ZIPS_COMPRESSION", "ZIP_COMPRESSION"])
@pytest.mark.parametrize("order", ["INCREASING_Y", "DECREASING_Y"])
def test_what_the_library_wrote_is_read(order: str, compression: str, tmp_path: Path) -> None:
    channels = noise()
    found = decode(written(tmp_path / "a.exr", channels, compression, lineOrder=getattr(openexr, order)))
    assert found.keys() == channels.keys()
    assert all(np.array_equal(found[name], channels[name]) for name in NAMES)
    assert all(found[name].dtype == channels[name].dtype for name in NAMES)


@pytest.mark.parametrize("smooth", [True, False])
def test_the_library_reads_what_was_written(smooth: bool, tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 37 * 20, dtype=np.float32).reshape(37, 20)
    values = ramp if smooth else np.random.default_rng(1).integers(0, 1 << 30, ramp.shape, np.uint32).view(np.float32)
    values = values.copy()
    values[3, 4] = np.inf
    content = encode({"Z": values, "A": -values})
    (tmp_path / "a.exr").write_bytes(content)
    with openexr.File(str(tmp_path / "a.exr"), separate_channels=True) as file:
        channels = file.channels()
        assert np.array_equal(channels["Z"].pixels, values)
        assert np.array_equal(channels["A"].pixels, -values)
    assert np.array_equal(decode(content)["Z"], values)
    assert len(content) < 2 * values.nbytes or not smooth
    assert content == encode({"A": -values, "Z": values})


@pytest.mark.parametrize("spoil", ["another way", "cut", "no magic", "empty", "wider than memory", "leads back"])
@pytest.mark.parametrize("compression", ["NO_COMPRESSION", "ZIP_COMPRESSION"])
def test_other_files_are_refused(spoil: str, compression: str, tmp_path: Path) -> None:
    content = written(tmp_path / "a.exr", noise(), "PIZ_COMPRESSION" if spoil == "another way" else compression)
    size = content.index(b"box2i") + 10
    wider = content[:size] + struct.pack("<4i", 0, 0, 0xF1F9FB, 3) + content[size + 16 :]
    length = content.index(b"chlist\0") + 7
    spoilt = {
        "another way": content,
        "cut": content[:-9],
        "no magic": b"\0" + content[1:],
        "empty": b"",
        "wider than memory": wider,
        "leads back": content[:length] + struct.pack("<i", 8 - length - 4) + content[length + 4 :],
    }
    with pytest.raises(ExrError, match="not an OpenEXR file of plain scan lines"):
        decode(spoilt[spoil])


def test_a_file_of_more_pixels_than_its_frame_is_refused() -> None:
    content = encode({"Z": np.zeros((64, 64), np.float32)})
    with pytest.raises(ExrError, match="64 x 64 pixels"):
        decode(content, 64 * 63)
