"""Meshes as text or plain records, OBJ and STL, read line by line; errors name the line."""

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.geometry.triangulation import FoldedPolygon, triangulated

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

MOST_FACES = 300_000  # triangles; unwrapping these takes about a minute
MOST_VERTICES = 3 * MOST_FACES
MOST_CORNERS = 10_000  # of one polygon
MOST_LINES = 12 * MOST_FACES
LONGEST_LINE = 1 << 20  # characters
FREE_FORM = ("curv", "curv2", "surf")  # statements of OBJ that describe a surface without polygons
STL_HEADER, STL_RECORD = 84, np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


class MeshSyntaxError(ValueError):
    """What is wrong in a mesh file, and where."""


def read_obj(path: Path) -> tuple[Floats, Indices]:
    """Vertices (V, 3) and triangles (F, 3) of an OBJ; polygons of any outline are cut up in their plane.

    Indices may count back from the last vertex before a face. Texture coordinates, normals, groups, materials, points
    and lines are passed over. Raises MeshSyntaxError.
    """
    vertices = array("d")
    polygons: list[list[int]] = []
    lines: list[int] = []
    triangles = 0
    for number, words in _statements(path):
        if words[0] == "v":
            try:
                x, y, z = map(float, words[1:4])
            except ValueError:
                raise MeshSyntaxError(f"line {number}: found {_shown(words)}; expected v and three numbers") from None
            vertices.extend((x, y, z))
            if len(vertices) > 3 * MOST_VERTICES:
                raise MeshSyntaxError(f"line {number}: found more than {MOST_VERTICES} vertices; decimate it")
        elif words[0] == "f":
            count = len(vertices) // 3
            try:
                corners = [int(word.partition("/")[0]) for word in words[1:]]
            except ValueError:
                corners = []
            if not 3 <= len(corners) <= MOST_CORNERS:
                wanted = f"f and the numbers of 3 to {MOST_CORNERS} vertices"
                raise MeshSyntaxError(f"line {number}: found {_shown(words)}; expected {wanted}")
            polygons.append([corner - 1 if corner > 0 else count + corner for corner in corners])
            if 0 in corners or min(polygons[-1]) < 0:
                raise MeshSyntaxError(f"line {number}: found {_shown(words)}; expected vertices from 1 to {count}")
            lines.append(number)
            triangles += len(corners) - 2
            if triangles > MOST_FACES:
                raise MeshSyntaxError(f"found more than {MOST_FACES} triangles; expected at most these: decimate it")
        elif words[0] in FREE_FORM:
            raise MeshSyntaxError(f"line {number}: found a free-form surface; expected polygons: tessellate it")
    points = np.array(vertices, dtype=np.float64).reshape(-1, 3)
    for polygon, number in zip(polygons, lines, strict=True):
        if max(polygon) >= len(points):
            found = f"line {number}: found vertex {max(polygon) + 1}"
            raise MeshSyntaxError(f"{found}; expected one of {len(points)}: the file may be cut off")
    require_finite(points)
    try:
        return points, triangulated(points, polygons)
    except FoldedPolygon as error:
        raise MeshSyntaxError(
            f"line {lines[error.polygon]}: found a face whose outline crosses itself; expected a simple polygon"
        ) from None


def read_stl(path: Path) -> tuple[Floats, Indices]:
    """Vertices (3 F, 3) and triangles (F, 3) of an STL, binary or text. Raises MeshSyntaxError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(STL_HEADER)
        count = int.from_bytes(header[STL_HEADER - 4 :], "little")
        if size == STL_HEADER + count * STL_RECORD.itemsize and len(header) == STL_HEADER:
            if count > MOST_FACES:
                raise MeshSyntaxError(f"found {count} triangles; expected at most {MOST_FACES}: decimate it")
            points = np.frombuffer(file.read(), dtype=STL_RECORD)["corners"].reshape(-1, 3).astype(np.float64)
        elif header.lstrip()[:5].lower() == b"solid":
            points = _stl_text(path)
        else:
            whole = STL_HEADER + count * STL_RECORD.itemsize
            raise MeshSyntaxError(
                f"found {size} bytes; expected {whole} for the {count} triangles of its header: the file may be cut off"
            )
    require_finite(points)
    return points, np.arange(len(points)).reshape(-1, 3)


def _stl_text(path: Path) -> Floats:
    points = array("d")
    corners, closed = 0, True
    for number, words in _statements(path):
        word = words[0].lower()
        if word == "vertex":
            try:
                x, y, z = map(float, words[1:])
            except ValueError:
                raise MeshSyntaxError(f"line {number}: found {_shown(words)}; expected three numbers") from None
            points.extend((x, y, z))
            corners += 1
            if len(points) > 9 * MOST_FACES:
                raise MeshSyntaxError(f"found more than {MOST_FACES} triangles; expected at most these: decimate it")
        elif word == "endfacet" or word == "facet":
            if corners != (3 if word == "endfacet" else 0):
                raise MeshSyntaxError(f"line {number}: found {corners} corners before {word}; expected three a facet")
            corners = 0
        elif word in ("solid", "endsolid"):
            closed = word == "endsolid"
        elif word not in ("outer", "endloop", "color"):
            raise MeshSyntaxError(f"line {number}: found {_shown(words)}; expected solid, facet, outer loop or vertex")
    if corners or not closed:
        raise MeshSyntaxError("found no endsolid; expected it as the last line: the file may be cut off")
    return np.array(points, dtype=np.float64).reshape(-1, 3)


def require_finite(points: Floats) -> None:
    """Raises MeshSyntaxError where a coordinate is no number that one can calculate with."""
    if not (np.abs(points) < 1e30).all():  # so that cubes of them are finite, too
        raise MeshSyntaxError("found vertices that are not finite numbers")


def _statements(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of each line that says anything, and its words; lines that end in a backslash go on in the next."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        pieces: list[str] = []
        number = length = 0
        while line := file.readline(LONGEST_LINE):
            number, length = number + 1, length + len(line)
            if length >= LONGEST_LINE:
                raise MeshSyntaxError(f"line {number}: found more than {LONGEST_LINE} characters; expected fewer")
            if number > MOST_LINES:
                raise MeshSyntaxError(f"found more than {MOST_LINES} lines; expected at most these: decimate it")
            pieces.append(line.removesuffix("\\\n"))
            if not line.endswith("\\\n"):
                if words := " ".join(pieces).partition("#")[0].split():
                    yield number, words
                pieces, length = [], 0


def _shown(words: list[str]) -> str:
    text = " ".join(words[:6])[:60]
    return ascii(text if len(words) <= 6 else f"{text} ...")
