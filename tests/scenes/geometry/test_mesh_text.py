"""OBJ and STL as people's programs write them, and what is no mesh: the line that is wrong is named."""

from pathlib import Path
from time import process_time

import numpy as np
import pytest

from scenes.geometry.mesh_text import MeshSyntaxError, read_obj, read_stl

trimesh = pytest.importorskip("trimesh")
SQUARE = "v 0 0 0\nv 9 0 0\nv 9 9 0\nv 0 9 0\n"


def obj(folder: Path, text: str) -> Path:
    (folder / "mesh.obj").write_bytes(text.encode())
    return folder / "mesh.obj"


@pytest.mark.parametrize(
    "text",
    [
        SQUARE + "f 1 2 3 4\n",
        SQUARE + "f -4 -3 -2 -1",
        SQUARE + "vt 0 0\nvn 0 0 1\nf 1/1/1 2/1/1 3//1 4/1\n",
        SQUARE.replace(" 0\n", " 0 0.5 0.25 1\n") + "f 1 2 3 4\n",
        "\ufeff# made by hand\nmtllib a.mtl\no part\n"
        + SQUARE
        + "g a b\nusemtl red\ns off\nl 1 3\np 1\nf 1 2 3 4 # all\n",
        SQUARE.replace("\n", "\r\n") + "f 1 2 \\\r\n3 4\r\n",
        SQUARE.replace("\n", "\r") + "f 1 2 3 4\r",
        "f 1 2 3 4\n" + SQUARE,
        "v 5 5 5\nf -1 -1 -1\n" + SQUARE + "f -4 -3 -2 -1\n",
    ],
    ids=["plain", "negative", "textured", "coloured", "decorated", "dos", "mac", "later", "alternating"],
)
def test_one_square_however_it_is_written(tmp_path: Path, text: str) -> None:
    vertices, faces = read_obj(obj(tmp_path, text))
    shown = vertices[faces[-2:]]
    assert shown.tolist() == [[[0, 0, 0], [9, 0, 0], [9, 9, 0]], [[0, 0, 0], [9, 9, 0], [0, 9, 0]]]


def test_indices_that_count_back_do_so_from_where_they_stand(tmp_path: Path) -> None:
    blocks = [f"v {x} 0 0\nv {x + 1} 0 0\nv {x} 1 0\nf -3 -2 -1\n" for x in range(50)]
    vertices, faces = read_obj(obj(tmp_path, "".join(blocks)))
    assert vertices[faces][:, 0, 0].tolist() == list(range(50))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SQUARE + "f 1 2 5\n", "line 5: found vertex 5; expected one of 4"),
        (SQUARE + "f 1 2 0\n", "line 5: found 'f 1 2 0'; expected vertices from 1 to 4"),
        (SQUARE + "f 1 2 -5\n", "line 5: found 'f 1 2 -5'; expected vertices from 1 to 4"),
        (SQUARE + "f 1 2\n", "line 5: found 'f 1 2'; expected f and the numbers of 3 to 10000 vertices"),
        (SQUARE + "f 1 2 x\n", "line 5: found 'f 1 2 x'; expected f and"),
        (SQUARE + "f 1 2 1e1\n", "line 5: found 'f 1 2 1e1'"),
        (SQUARE + "f " + "1 " * 10_001, "line 5: found 'f 1 1 1 1 1 ...'"),
        (SQUARE + f"f 1 2 {10**30}\n", "line 5: found vertex 1000000"),
        (SQUARE + "f 1 3 2 4\n", "line 5: found a face whose outline crosses itself"),
        ("v 0 0\n", "line 1: found 'v 0 0'; expected v and three numbers"),
        ("v 0 0 1,5\n", "line 1: found 'v 0 0 1,5'"),
        (SQUARE + "v nan 0 0\nf 1 2 3", "not finite"),
        (SQUARE + "v 1e400 0 0\nf 1 2 3", "not finite"),
        (SQUARE + "v 1e200 0 0\nf 1 2 5 4", "not finite"),
        (SQUARE + "cstype bezier\nsurf 0 1 0 1 1 2 3 4\n", "line 6: found a free-form surface"),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(MeshSyntaxError) as refusal:
        read_obj(obj(tmp_path, text))
    assert told in str(refusal.value)
    assert str(refusal.value).isascii()


@pytest.mark.parametrize(
    "content",
    [b"f 1 2 3\n" * 400_000, b"v 0 0 0\n" * 1_300_000, b"\n" * 5_000_000, b"v " * 1_000_000, b"f 1 2 \\\n" * 500_000],
    ids=["faces", "vertices", "lines", "words", "continued"],
)
def test_files_beyond_every_measure_are_refused_soon(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mesh.obj").write_bytes(content)
    begin = process_time()
    with pytest.raises(MeshSyntaxError):
        read_obj(tmp_path / "mesh.obj")
    assert process_time() - begin < 5


@pytest.mark.parametrize("kind", ["stl", "stl_ascii"])
def test_stl_is_read_as_trimesh_reads_it(tmp_path: Path, kind: str) -> None:
    box = trimesh.creation.box((3, 4, 5))
    box.export(tmp_path / "box.stl", file_type=kind)
    vertices, faces = read_stl(tmp_path / "box.stl")
    assert np.allclose(vertices[faces], trimesh.load_mesh(tmp_path / "box.stl", process=False).triangles)


FACET = "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"solid a\n{FACET}", "found no endsolid"),
        (f"solid a\n{FACET}{FACET[:68]}", "found no endsolid"),
        (f"solid a\n{FACET.replace('vertex 0 1 0', 'vertex 0 1')}endsolid\n", "line 6: found 'vertex 0 1'"),
        (f"solid a\n{FACET.replace('vertex 0 1 0', 'vertex 0 x 0')}endsolid\n", "line 6: found 'vertex 0 x 0'"),
        (f"solid a\n{FACET.replace('vertex 0 1 0', '')}endsolid\n", "line 8: found 2 corners before endfacet"),
        (f"solid a\n{FACET.replace('0 1 0', 'nan 1 0')}endsolid\n", "not finite"),
        (f"solid a\n{FACET}rubbish\nendsolid\n", "line 9: found 'rubbish'"),
        ("nothing of the kind", "found 19 bytes; expected"),
    ],
)
def test_stl_text_that_is_cut_off_or_spoilt_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "mesh.stl").write_text(text)
    with pytest.raises(MeshSyntaxError) as refusal:
        read_stl(tmp_path / "mesh.stl")
    assert told in str(refusal.value)


def test_stl_records_that_are_cut_off_or_numberless_are_refused(tmp_path: Path) -> None:
    content = trimesh.creation.box().export(file_type="stl")
    for wrong, told in (
        (content[:-1], "found 683 bytes; expected 684 for the 12 triangles of its header"),
        (content + b"x", "found 685 bytes; expected 684"),
        (content[:80] + b"\xff\xff\xff\xff" + content[84:], "4294967295 triangles of its header"),
        (content[:96] + b"\xff\xff\xff\x7f" + content[100:], "not finite"),
        (content[:50], "cut off"),
    ):
        (tmp_path / "mesh.stl").write_bytes(wrong)
        with pytest.raises(MeshSyntaxError, match=told):
            read_stl(tmp_path / "mesh.stl")
