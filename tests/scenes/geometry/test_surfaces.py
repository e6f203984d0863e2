"""Meshes under the camera: areas, what is seen from above, sides that face away, thickness, and the unit."""

from pathlib import Path

import numpy as np
import pytest

from procgen.errors import BlemishError
from scenes.geometry.mesh_files import digest_of
from scenes.geometry.surfaces import Surface, doubtful_unit, read_surface

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("rtree")
MM = 1e-3
BOX = [(0, 0), (40, 0), (40, 30), (0, 30)]
CORNER = [(20, 20), (20, 60), (0, 60), (0, 0), (60, 0), (60, 20)]
GEAR = [(r * np.cos(k * np.pi / 8), r * np.sin(k * np.pi / 8)) for k in range(16) for r in [(30, 12)[k % 2]]]
FRAME = ([(0, 0), (60, 0), (60, 60), (0, 60), (20, 20), (20, 40), (40, 40), (40, 20)], (1, 2, 3, 4, 1, 5, 6, 7, 8, 5))


def sheet(corners: list[tuple[float, float]], *faces: tuple[int, ...], z: float = 0) -> str:
    return "".join(f"v {x} {y} {z}\n" for x, y in corners) + "".join(
        f"f {' '.join(map(str, face))}\n" for face in faces
    )


def prism(outline: list[tuple[float, float]], height: float) -> str:
    count = len(outline)
    top, bottom = tuple(range(count + 1, 2 * count + 1)), tuple(range(count, 0, -1))
    sides = [(i + 1, (i + 1) % count + 1, (i + 1) % count + 1 + count, i + 1 + count) for i in range(count)]
    points = "".join(f"v {x} {y} {z}\n" for z in (0, height) for x, y in outline)
    return points + "".join(f"f {' '.join(map(str, face))}\n" for face in (top, bottom, *sides))


def surface_of(folder: Path, text: str, unit: float = MM) -> Surface:
    (folder / "mesh.obj").write_text(text)
    return read_surface(str(folder / "mesh.obj"), digest_of(str(folder / "mesh.obj")), unit, "z")


def from_above(surface: Surface) -> tuple[float, float]:
    """The share of the rectangle round a surface that rays from above meet, and of these, that meet a front."""
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    low, high = mesh.bounds[:, :2]
    grid = np.stack(np.meshgrid(*np.linspace(low, high, 83)[1:-1].T), axis=-1).reshape(-1, 2)
    start = np.column_stack([grid + 1e-7, np.ones(len(grid))])
    rays = mesh.ray.intersects_first(start, np.tile((0.0, 0.0, -1.0), (len(start), 1)))
    return float((rays >= 0).mean()), float((mesh.face_normals[rays[rays >= 0], 2] > 0).mean())


@pytest.mark.parametrize(
    ("text", "area", "share"),
    [
        (prism(BOX, 5), 3100, 1),
        (prism(CORNER, 5), 5200, 2000 / 3600),
        (prism(GEAR, 4), 3449.885884, 1102.1 / 3600),
        (sheet(*FRAME), 3200, 3200 / 3600),
        (sheet([(0, 0), (40, 20), (0, 40), (20, 20)], (1, 2, 3, 4)), 400, 0.25),
    ],
    ids=["box", "L", "gear", "frame", "dart"],
)
def test_polygons_have_the_area_of_their_outline_and_face_the_camera(
    tmp_path: Path, text: str, area: float, share: float
) -> None:
    surface = surface_of(tmp_path, text)
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    assert mesh.area == pytest.approx(area * 1e-6, rel=1e-6)
    assert from_above(surface) == (pytest.approx(share, abs=0.02), 1.0)


OPEN_BOX = prism(BOX, 20).replace("f 5 6 7 8\n", "")
LOWER_SHEET = sheet([(1, 1), (39, 1), (39, 29), (1, 29)], (4, 3, 2, 1)).replace("f 4 3 2 1", "f 8 7 6 5")


@pytest.mark.parametrize(
    "text",
    [
        sheet(BOX, (4, 3, 2, 1)),
        sheet(*FRAME).replace("f 1 2 3 4 1 5 6 7 8 5", "f 5 8 7 6 5 1 4 3 2 1"),
        OPEN_BOX,
        sheet(BOX, (1, 2, 3, 4)) + LOWER_SHEET,
        prism(BOX, 5).replace("f 5 6 7 8\n", "f 5 6 7\n"),
    ],
    ids=["sheet", "frame", "open box", "sheet over sheet", "hole in a box"],
)
def test_open_surfaces_are_turned_to_the_camera(tmp_path: Path, text: str) -> None:
    share, front = from_above(surface_of(tmp_path, text))
    assert share > 0.8
    assert front > (0.4 if "f 5 6 7\n" in text else 0.99)  # through a hole one looks at the back of a box's far side


@pytest.mark.parametrize(
    "text",
    [
        sheet(BOX, (1, 2, 3, 4), (4, 3, 2, 1)),
        sheet(BOX, (1, 2, 3), (1, 3, 4), (4, 3, 2), (4, 2, 1)),
        sheet([*BOX, (20, 15)], (1, 2, 3, 4), (2, 1, 5), (3, 2, 5), (4, 3, 5), (1, 4, 5)),
        prism(BOX, 0),
        prism(GEAR, 0),
        prism(BOX, 1e-6),
        prism(BOX, 5) + sheet([(x + 50, y) for x, y in BOX], (1, 2, 3), (9, 10, 11, 12), (12, 11, 10, 9)),
    ],
    ids=["quads", "triangles", "other edges", "flat box", "flat gear", "foil of a nanometre", "beside a box"],
)
def test_bodies_without_thickness_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BlemishError, match=r"without thickness|more than two faces"):
        surface_of(tmp_path, text)


def test_a_foil_keeps_its_sides(tmp_path: Path) -> None:
    assert from_above(surface_of(tmp_path, prism(BOX, 0.01))) == (1.0, 1.0)


def test_millimetres_read_as_metres_are_said_with_the_unit_that_would_do(tmp_path: Path) -> None:
    with pytest.raises(BlemishError, match="as millimetres with unit_mm: 1, which makes it 40 mm"):
        surface_of(tmp_path, prism(BOX, 5), unit=1.0)
    small = prism([(x / 1000, y / 1000) for x, y in BOX], 0.005)
    with pytest.raises(BlemishError, match="as metres with unit_mm: 1000, which makes it 40 mm"):
        surface_of(tmp_path, small)
    assert "as millimetres with unit_mm: 1, which makes it 5 mm" in doubtful_unit(5.0, unit=1.0)
    assert doubtful_unit(0.04, unit=MM) == ""
