"""Files that hold a mesh, or only say so."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from procgen.errors import BlemishError
from scenes.geometry.mesh_files import digest_of, read_mesh

trimesh = pytest.importorskip("trimesh")


@pytest.fixture
def gltf(tmp_path: Path) -> dict[str, Any]:
    """A sound glTF of a box; its numbers lie beside it in `tmp_path`."""
    for name, content in trimesh.exchange.gltf.export_gltf(trimesh.Scene(trimesh.creation.box((3, 4, 5)))).items():
        (tmp_path / name).write_bytes(content)
    return dict(json.loads((tmp_path / "model.gltf").read_text()))


def refused(path: Path) -> str:
    with pytest.raises(BlemishError) as refusal:
        read_mesh(str(path))
    assert str(refusal.value).startswith(f"mesh {path}: ")
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_glb_of_wrong_lengths_is_refused(tmp_path: Path) -> None:
    content = trimesh.creation.box((3, 4, 5)).export(file_type="glb")
    (tmp_path / "sound.glb").write_bytes(content)
    assert len(read_mesh(str(tmp_path / "sound.glb"))[1]) == 12
    path = tmp_path / "wrong.glb"
    for place in (8, 12, 20 + int.from_bytes(content[12:16], "little")):
        for length in (0, 1, 7, 2**31, 2**32 - 1):
            path.write_bytes(content[:place] + length.to_bytes(4, "little") + content[place + 4 :])
            with suppress(BlemishError):  # a reader need not look at the length of the whole
                vertices, faces = read_mesh(str(path))
                assert np.abs(vertices[faces]).max() == pytest.approx(2.5)
    for end in (1, 12, 19, 40, len(content) - 400, len(content) - 200):
        path.write_bytes(content[:end])
        refused(path)


def test_a_gltf_that_asks_for_more_than_it_has_is_refused(tmp_path: Path, gltf: dict[str, Any]) -> None:
    path = tmp_path / "wrong.gltf"
    for change in (
        lambda tree: tree["accessors"][0].update(count=10**10),
        lambda tree: tree["accessors"][0].update(count=-1),
        lambda tree: tree["accessors"][0].update(count="many"),
        lambda tree: [accessor.update(type="SCALAR") for accessor in tree["accessors"]],
        lambda tree: [accessor.pop("bufferView") or accessor.update(count=10**9) for accessor in tree["accessors"]],
        lambda tree: (
            tree["nodes"].extend([{"mesh": 0}] * 50_000)
            or tree["scenes"][0]["nodes"].extend(range(len(tree["nodes"]) - 50_000, len(tree["nodes"])))
        ),
        lambda tree: tree["buffers"][0].update(uri="missing.bin"),
        lambda tree: tree["buffers"][0].update(uri="/dev/zero"),
        lambda tree: tree["buffers"][0].update(uri="pipe"),
        lambda tree: tree.update(accessors=3),
        lambda tree: tree.update(meshes=[]),
        lambda tree: tree["nodes"].__setitem__(0, {"children": [0]}),
    ):
        changed = json.loads(json.dumps(gltf))
        change(changed)
        if hasattr(os, "mkfifo") and not (tmp_path / "pipe").exists():
            os.mkfifo(tmp_path / "pipe")
        path.write_text(json.dumps(changed))
        refused(path)
    for text in ("[]", "{}", "{", "1", "[" * 100_000, '{"asset": 3}'):
        path.write_text(text)
        refused(path)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "one.obj").symlink_to(tmp_path / "other.obj")
    (tmp_path / "other.obj").symlink_to(tmp_path / "one.obj")
    (tmp_path / "folder.obj").mkdir()
    os.mkfifo(tmp_path / "pipe.obj")
    for path in ("one.obj", "folder.obj", "pipe.obj", "missing.obj", "x" * 5000 + ".obj", "zero\0.obj", "mesh.ply"):
        with pytest.raises(BlemishError):
            digest_of(str(tmp_path / path))
