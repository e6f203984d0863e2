"""Our reader of OpenEXR files beside the OpenEXR library, on files that this library writes."""

import struct
from pathlib import Path

import numpy as np
import pytest

from blender_addon.rendering.exr import read_exr
from procgen.errors import BlemishError

openexr = pytest.importorskip("OpenEXR")
NAMES = ("R", "G", "B", "layer.pass.R", "layer.pass.G", "layer.pass.B", "layer.depth.V", "a.mask.A")


def written(path: Path, compression: str = "NO_COMPRESSION", **header: object) -> dict[str, np.ndarray]:
    """Write a file of 5 x 7 pixels with noise in every channel, half of them in half precision."""
    rng = np.random.default_rng(3)
    channels = {name: rng.normal(size=(5, 7)).astype(np.float16 if "pass" in name else np.float32) for name in NAMES}
    head = {"compression": getattr(openexr, compression), "type": openexr.scanlineimage, **header}
    with openexr.File(head, dict(channels)) as file:
        file.write(str(path))
    return channels


@pytest.mark.parametrize("order", ["INCREASING_Y", "DECREASING_Y"])
def test_passes_are_what_the_library_wrote(order: str, tmp_path: Path) -> None:
    channels = written(tmp_path / "a.exr", lineOrder=getattr(openexr, order))
    passes = read_exr(tmp_path / "a.exr")
    assert passes.keys() == {"", "layer.pass"}
    for layer, prefix in (("", ""), ("layer.pass", "layer.pass.")):
        expected = np.stack([channels[prefix + colour] for colour in "RGB"], axis=-1).astype(np.float32)
        assert np.array_equal(passes[layer], expected)
        assert passes[layer].dtype == np.float32


@pytest.mark.parametrize("spoil", ["compressed", "cut", "no magic", "empty", "wider than memory", "leads back"])
def test_other_files_are_refused(spoil: str, tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    written(path, "ZIP_COMPRESSION" if spoil == "compressed" else "NO_COMPRESSION")
    content = path.read_bytes()
    size = content.index(b"box2i") + 10
    wider = content[:size] + struct.pack("<4i", 0, 0, 0xF1F9FB, 3) + content[size + 16 :]
    length = content.index(b"chlist\0") + 7
    spoilt = {
        "compressed": content,
        "cut": content[:-9],
        "no magic": b"\0" + content[1:],
        "empty": b"",
        "wider than memory": wider,
        "leads back": content[:length] + struct.pack("<i", 8 - length - 4) + content[length + 4 :],
    }
    path.write_bytes(spoilt[spoil])
    with pytest.raises(BlemishError, match=r"a\.exr: not an OpenEXR file of plain scan lines"):
        read_exr(path)
