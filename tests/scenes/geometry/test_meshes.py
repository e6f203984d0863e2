"""Meshes of the user: what is read, what is refused, and where their texels lie."""

from pathlib import Path

import numpy as np
import pytest

from procgen.errors import BlemishError
from scenes import build_part, draw, load_recipe
from scenes.geometry.atlas import Part
from scenes.geometry.mesh_files import digest_of
from scenes.geometry.mesh_text import MOST_FACES
from scenes.geometry.meshes import unwrapped
from scenes.geometry.surfaces import read_surface
from scenes.recipes.examples import STAGE
from scenes.recipes.reading import recipe_fields
from scenes.recipes.recipe import Recipe, recipe_from

trimesh = pytest.importorskip("trimesh")
MM = 1e-3


def part_from(path: Path, unit: float = MM) -> Part:
    return unwrapped(read_surface(str(path), digest_of(str(path)), unit, "z"))


def obj(path: Path, vertices: list[tuple[float, float, float]], faces: list[tuple[int, ...]]) -> Path:
    lines = [f"v {x} {y} {z}" for x, y, z in vertices] + ["f " + " ".join(map(str, face)) for face in faces]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def lump(tmp_path: Path) -> Path:
    mesh = trimesh.creation.icosphere(2, radius=10)
    mesh.apply_scale([1, 0.7, 0.5])
    mesh.apply_translation([100, 50, -20])
    mesh.export(tmp_path / "lump.stl")
    return tmp_path / "lump.stl"


@pytest.mark.parametrize("suffix", [".obj", ".stl", ".glb", ".gltf"])
def test_every_format_gives_the_same_surface(suffix: str, lump: Path, tmp_path: Path) -> None:
    target = tmp_path / f"again{suffix}"
    if suffix == ".gltf":
        for name, content in trimesh.exchange.gltf.export_gltf(trimesh.Scene(trimesh.load_mesh(lump))).items():
            (tmp_path / name).write_bytes(content)
        target = tmp_path / "model.gltf"
    else:
        trimesh.load_mesh(lump).export(target)
    one, other = (read_surface(str(path), digest_of(str(path)), MM, "z") for path in (lump, target))
    assert len(one.faces) == len(other.faces) == 320
    assert np.ptp(other.vertices, axis=0) == pytest.approx(np.ptp(one.vertices, axis=0), abs=1e-8)
    assert other.vertices[:, 2].max() == pytest.approx(0)
    assert np.allclose(other.vertices[:, :2].max(axis=0), -other.vertices[:, :2].min(axis=0))


def test_charts_lead_back_to_the_mesh_and_keep_its_area(lump: Path) -> None:
    part = part_from(lump)
    solid = trimesh.Trimesh(part.mesh.vertices, part.mesh.faces[:, :3], process=False)
    for number, chart in enumerate(part.charts):
        mine = part.mesh.charts == number
        middles = (part.mesh.uvs[mine, :3] * np.array(chart.size)).mean(axis=1)
        assert np.allclose(chart.embed(middles), solid.triangles_center[mine], atol=1e-9)
        assert chart.covers(middles).all()
        assert (np.einsum("nk,nk->n", chart.normals(middles), solid.face_normals[mine]) > 0.9).all()
        flat = part.mesh.uvs[mine, :3] * np.array(chart.size)
        a, b, c = flat.transpose(1, 0, 2)
        area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
        assert (area > 0).all()  # none turned over
        assert area.sum() == pytest.approx(solid.area_faces[mine].sum())


def test_unwrapping_is_the_same_each_time(lump: Path) -> None:
    surface = read_surface(str(lump), digest_of(str(lump)), MM, "z")
    once, again = unwrapped.__wrapped__(surface), unwrapped.__wrapped__(surface)
    assert np.array_equal(once.mesh.uvs, again.mesh.uvs)
    assert np.array_equal(once.mesh.charts, again.mesh.charts)


def test_faces_turned_inside_out_are_turned_back(tmp_path: Path) -> None:
    box = trimesh.creation.box((10, 20, 5))
    box.faces[[0, 3, 7]] = box.faces[[0, 3, 7]][:, ::-1]
    box.export(tmp_path / "box.obj")
    surface = read_surface(str(tmp_path / "box.obj"), digest_of(str(tmp_path / "box.obj")), MM, "z")
    assert np.linalg.det(surface.vertices[surface.faces]).sum() / 6 == pytest.approx(1e-6)


@pytest.mark.parametrize("up", ["x", "y", "z", "-x", "-y", "-z"])
def test_the_named_axis_faces_the_camera(up: str, tmp_path: Path) -> None:
    axis = np.eye(3)["xyz".index(up[-1])] * (-1 if up[0] == "-" else 1)
    pin = trimesh.creation.cone(radius=2, height=9)
    pin.apply_transform(trimesh.geometry.align_vectors([0, 0, 1], axis))
    pin.export(tmp_path / "pin.stl")
    surface = read_surface(str(tmp_path / "pin.stl"), digest_of(str(tmp_path / "pin.stl")), MM, up)
    assert np.allclose(surface.vertices[surface.vertices[:, 2].argmax()], 0, atol=1e-7)
    assert np.linalg.det(surface.vertices[surface.faces]).sum() > 0


TETRAHEDRON = [(0, 0, 0), (9, 0, 0), (0, 9, 0), (0, 0, 9)]
SIDES = [(1, 3, 2), (1, 2, 4), (2, 3, 4), (1, 4, 3)]


@pytest.mark.parametrize(
    ("vertices", "faces", "told"),
    [
        (TETRAHEDRON, [], "no faces|not a valid"),
        ([(0, 0, 0), (1, 0, 0), (2, 0, 0)], [(1, 2, 3)], "without area"),
        ([(0, 0, 0), (1e9, 0, 0), (0, 1e9, 0)], [(1, 2, 3)], "is the unit of the file another"),
        ([(0, 0, 0), (1e-5, 0, 0), (0, 1e-5, 0)], [(1, 2, 3)], "is the unit of the file another"),
        ([(0, 0, 0), (float("nan"), 0, 0), (0, 1, 0)], [(1, 2, 3)], "not finite|without area|not a valid"),
        ([*TETRAHEDRON, (9, 9, 9)], [*SIDES, (1, 2, 5)], "more than two faces"),
    ],
)
def test_meshes_that_are_no_surface_are_refused(
    vertices: list[tuple[float, float, float]], faces: list[tuple[int, ...]], told: str, tmp_path: Path
) -> None:
    with pytest.raises(BlemishError, match=told):
        part_from(obj(tmp_path / "bad.obj", vertices, faces))


def test_files_that_are_no_mesh_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content, told in (
        ("empty.stl", b"", "found 0 bytes"),
        ("noise.glb", b"\x00\x01" * 200, "found no glTF header"),
        ("picture.png", b"x", "found the format .png; expected .obj"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BlemishError, match=told):
            part_from(tmp_path / name)
    with pytest.raises(BlemishError, match="cannot be read"):
        part_from(tmp_path / "missing.stl")
    trimesh.creation.box().export(tmp_path / "box.stl")
    monkeypatch.setattr("scenes.geometry.mesh_text.MOST_FACES", 5)
    assert MOST_FACES > 5
    with pytest.raises(BlemishError, match="found 12 triangles; expected at most 5"):
        part_from(tmp_path / "box.stl")


def recipe_of(path: str, source: Path) -> Recipe:
    return recipe_from({**recipe_fields(STAGE), "part": {"kind": "mesh", "path": path}}, str(source))


def test_paths_are_relative_to_the_recipe(lump: Path, tmp_path: Path) -> None:
    scene = draw(recipe_of("lump.stl", tmp_path / "recipe.yaml"), 0, 0)
    assert scene.part.path == str(lump)
    assert Recipe.model_validate_json(recipe_of("lump.stl", tmp_path / "recipe.yaml").model_dump_json())
    assert scene.part.framed_width == pytest.approx(0.02, rel=1e-3)
    assert load_recipe("plate").part.kind == "plate"


def test_a_mesh_that_changed_after_drawing_is_refused(lump: Path, tmp_path: Path) -> None:
    scene = draw(recipe_of("lump.stl", tmp_path / "recipe.yaml"), 0, 0)
    build_part.cache_clear()
    read_surface.cache_clear()
    trimesh.creation.box((3, 4, 5)).export(lump)
    with pytest.raises(BlemishError, match="has changed since its scene was drawn"):
        build_part(scene.part)


def test_sides_of_a_micrometre_have_finite_coordinates(tmp_path: Path) -> None:
    corners = [(x, y, z) for z in (0.0, 1e-3) for x, y in ((0.0, 0.0), (40.0, 0.0), (40.0, 30.0), (0.0, 30.0))]
    faces = [(5, 6, 7, 8), (4, 3, 2, 1), (1, 2, 6, 5), (2, 3, 7, 6), (3, 4, 8, 7), (4, 1, 5, 8)]
    with np.errstate(all="raise"):
        part = part_from(obj(tmp_path / "sheet.obj", corners, faces))
    assert np.isfinite(part.mesh.uvs).all()
