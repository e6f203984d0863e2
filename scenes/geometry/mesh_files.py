"""Mesh files of the user: found, known by their digest, and read into triangles; OBJ, STL or glTF."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from scenes.datasets.files import sha256_of
from scenes.geometry.mesh_text import MOST_FACES, MOST_VERTICES, MeshSyntaxError, read_obj, read_stl, require_finite

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

FORMATS = (".obj", ".stl", ".gltf", ".glb")
MOST_BYTES = 256 << 20


def digest_of(path: str) -> str:
    """SHA-256 of a file, hexadecimal. Raises BlemishError where there is no such file, or none that may be read."""
    file = Path(path)
    if file.suffix.lower() not in FORMATS:
        raise BlemishError(f"mesh {path}: found the format {file.suffix or 'none'}; expected {', '.join(FORMATS)}")
    try:
        status = file.stat()
    except (OSError, ValueError) as error:  # ValueError of a path with a zero character
        cause = getattr(error, "strerror", error)
        raise BlemishError(f"mesh {path}: cannot be read ({cause}); expected a mesh file") from None
    if not file.is_file():
        raise BlemishError(f"mesh {path}: found no file; expected one of {', '.join(FORMATS)}")
    if not 0 < status.st_size <= MOST_BYTES:
        raise BlemishError(f"mesh {path}: found {status.st_size} bytes; expected 1 to {MOST_BYTES}")
    return _digest(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _digest(path: str, modified: int, size: int) -> str:
    return sha256_of(Path(path))


def portable(path: str) -> tuple[str, bytes]:
    """A mesh in one file that needs no other beside it: its suffix and its bytes.

    A glTF may keep its numbers in further files; of it an OBJ is made. Raises BlemishError as `read_mesh` does.
    """
    digest_of(path)
    suffix = Path(path).suffix.lower()
    if suffix == ".gltf":
        return ".obj", obj_text(*read_mesh(path)).encode()
    try:
        return suffix, Path(path).read_bytes()
    except OSError as error:
        raise BlemishError(f"mesh {path}: cannot be read ({error.strerror}); expected a mesh file") from None


def obj_text(vertices: Floats, faces: Indices) -> str:
    """An OBJ of vertices (V, 3) and triangles (F, 3), its numbers exact."""
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist()]
    return "\n".join(lines) + "\n"


def read_mesh(path: str) -> tuple[Floats, Indices]:
    """Vertices (V, 3) and triangles (F, 3) of a mesh file, in its own unit and axes.

    Raises BlemishError for a file that is no mesh, or too large a one.
    """
    digest_of(path)
    suffix = Path(path).suffix.lower()
    readers = {".obj": read_obj, ".stl": read_stl}
    try:
        vertices, faces = readers.get(suffix, _read_gltf)(Path(path))
    except MeshSyntaxError as error:
        raise BlemishError(f"mesh {path}: {error}") from None
    except OSError as error:
        raise BlemishError(f"mesh {path}: cannot be read ({error.strerror}); expected a mesh file") from None
    if len(faces) == 0:
        raise BlemishError(f"mesh {path}: found no faces; expected a surface of triangles or polygons")
    return vertices, faces


def _read_gltf(path: Path) -> tuple[Floats, Indices]:
    """Vertices and triangles of a glTF, text or binary. Raises MeshSyntaxError."""
    import trimesh

    class BesideIt(trimesh.resolvers.FilePathResolver):  # type: ignore[misc]
        """Files that a glTF names: only such as lie there and are of a mesh's size."""

        def get(self, name: str) -> bytes:
            file = (Path(self.parent) / name).resolve()
            if not file.is_file() or file.stat().st_size > MOST_BYTES:
                raise MeshSyntaxError(
                    f"found no file {name[:60]!a} beside it, or too large a one; expected its numbers"
                )
            return file.read_bytes()

    try:
        require_measure(_gltf_tree(path))
        with path.open("rb") as file:
            scene = trimesh.load_scene(
                file, file_type=path.suffix[1:].lower(), resolver=BesideIt(path), process=False, skip_materials=True
            )
        count = sum(
            len(getattr(scene.geometry[name], "faces", ()))
            for _, name in map(scene.graph.get, scene.graph.nodes_geometry)
        )
        if count > MOST_FACES:
            raise MeshSyntaxError(f"found {count} triangles; expected at most {MOST_FACES}: decimate it")
        mesh = scene.to_mesh()
        vertices, faces = np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64)
    except MeshSyntaxError:
        raise
    except Exception as error:  # whatever a parser of another's file stumbles on
        first = (str(error).splitlines() or [""])[0]
        raise MeshSyntaxError(f"not a valid {path.suffix} file ({type(error).__name__}: {first[:200]})") from None
    if vertices.shape[1:] != (3,) or faces.shape[1:] != (3,):
        raise MeshSyntaxError(f"found vertices of {vertices.shape[1:]} numbers; expected three each")
    require_finite(vertices)
    if len(faces) and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise MeshSyntaxError(f"found vertex {faces.max()}; expected one of {len(vertices)}")
    return vertices, faces


def _gltf_tree(path: Path) -> Any:
    """The JSON of a glTF. Raises ValueError where there is none."""
    with path.open("rb") as file:
        if path.suffix.lower() == ".gltf":
            return json.loads(file.read())
        magic, _, _, length, kind = (file.read(4) for _ in range(5))
        if magic != b"glTF" or kind != b"JSON":
            raise MeshSyntaxError("found no glTF header; expected a .glb file of version 2")
        return json.loads(file.read(int.from_bytes(length, "little")))


def require_measure(tree: Any) -> None:
    """Raises MeshSyntaxError where a glTF asks for more numbers than a part's mesh has."""
    for accessor in tree.get("accessors", []):
        if not 0 <= accessor["count"] <= 3 * MOST_VERTICES:
            raise MeshSyntaxError(
                f"found {accessor['count']} values in a row; expected at most {3 * MOST_VERTICES}: decimate it"
            )
