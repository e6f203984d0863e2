"""Mesh files."""

import json
from pathlib import Path
from typing import Any

from tests.fuzz.target import BINARY_TOKENS, JSON, JSON_TOKENS, Target, Tree, no_surroundings

OBJ_TOKENS = (
    b"v ", b"f ", b"l 1 2\n", b"p 1\n", b"\\\n", b"# ", b"-1", b"0", b"1/2/3", b"//", b"nan", b"inf", b"1e300",
    b"1e-300",
    b"99999999999999999999", b"curv 0 1 1 2\n", b"surf 0 1 0 1 1\n", b"vt 0 0\n", b"vn 0 0 1\n", b"\r", b"\r\n",
    b"\0", b"\xff",
    b"g a\n", b"o b\n", b"usemtl c\n", b"mtllib d.mtl\n", b"call e.obj\n",
)  # fmt: skip
STL_TOKENS = (
    b"solid ", b"endsolid\n", b"facet normal 0 0 1\n", b"outer loop\n", b"vertex ", b"endloop\n", b"endfacet\n",
    b"nan", b"inf",
    b"1e300", b"\xff\xff\xff\xff", b"\xff\xff\x7f\x7f", b"\0\0\0\0", b"\r", b"\xff",
)  # fmt: skip

BOX = """v 0 0 0\nv 9 0 0\nv 9 8 0\nv 0 8 0\nv 0 0 3\nv 9 0 3\nv 9 8 3\nv 0 8 3
f 5 6 7 8\nf 4 3 2 1\nf 1 2 6 5\nf 2 3 7 6\nf 3 4 8 7\nf 4 1 5 8\n"""
CORNER = "v 0 0 0\nv 6 0 0\nv 6 2 0\nv 2 2 0\nv 2 6 0\nv 0 6 0\nf -6 -5 -4 -3 -2 -1\nvt 0 0\nvn 0 0 1\nl 1 2\n"
FRAME = """v 0 0 0\nv 6 0 0\nv 6 6 0\nv 0 6 0\nv 2 2 0\nv 2 4 0\nv 4 4 0\nv 4 2 0
f 1/1/1 2/1/1 3/1/1 4/1/1 1/1/1 5/1/1 6/1/1 7/1/1 8/1/1 5/1/1\n"""
FACET = "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 5 0 0\nvertex 0 5 0\nendloop\nendfacet\n"


def stls(folder: Path) -> list[bytes]:
    import trimesh

    box = trimesh.creation.box((5, 6, 7))
    return [
        box.export(file_type="stl"),
        box.export(file_type="stl_ascii").encode(),
        f"solid a\n{FACET}endsolid\n".encode(),
    ]


def glbs(folder: Path) -> list[bytes]:
    import trimesh

    return [trimesh.creation.box((5, 6, 7)).export(file_type="glb")]


def glb_tree(content: bytes) -> Any:
    return json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])


def glb_bytes(sound: bytes, tree: Any) -> bytes:
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    rest = sound[20 + int.from_bytes(sound[12:16], "little") :]
    length = 20 + len(text) + len(rest)
    return sound[:8] + length.to_bytes(4, "little") + len(text).to_bytes(4, "little") + b"JSON" + text + rest


def gltfs(folder: Path) -> list[bytes]:
    import trimesh

    files = trimesh.exchange.gltf.export_gltf(trimesh.Scene(trimesh.creation.box((5, 6, 7))))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [files["model.gltf"]]


def read_part(path: Path) -> object:
    from scenes.geometry.mesh_files import digest_of
    from scenes.geometry.meshes import unwrapped
    from scenes.geometry.surfaces import read_surface

    name = str(path)
    return unwrapped.__wrapped__(read_surface.__wrapped__(name, digest_of(name), 1e-3, "z"))


TARGETS = (
    Target("obj", "part.obj", no_surroundings(*map(str.encode, (BOX, CORNER, FRAME))), read_part, OBJ_TOKENS),
    Target("stl", "part.stl", stls, read_part, STL_TOKENS),
    Target("glb", "part.glb", glbs, read_part, (*BINARY_TOKENS, *JSON_TOKENS), Tree(glb_tree, glb_bytes)),
    Target("gltf", "part.gltf", gltfs, read_part, JSON_TOKENS, JSON),
)
