"""A dataset holds the mesh it was rendered from: nothing in it says where that came from or leads out of it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from procgen.errors import BlemishError
from scenes import Dataset, DatasetError, DatasetWriter, Recipe, draw, surface_maps
from scenes.datasets.files import sealed
from scenes.datasets.schema import unsealed
from scenes.recipes.examples import STAGE
from scenes.recipes.reading import recipe_fields
from scenes.recipes.recipe import recipe_from

trimesh = pytest.importorskip("trimesh")


def recipe_of(path: Path, **part: object) -> Recipe:
    fields = {**recipe_fields(STAGE), "part": {"kind": "mesh", "path": path.name, **part}}
    fields["camera"] = {**fields["camera"], "resolution": [32, 24]}
    return recipe_from(fields, str(path.with_name("recipe.yaml")))


def write_all(writer: DatasetWriter) -> Dataset:
    width, height = writer.recipe.camera.resolution
    for index in writer.missing():
        masks = np.zeros((3, height, width), dtype=np.uint16)
        writer.write(index, np.zeros((height, width, 3), dtype=np.uint8), *masks, draw(writer.recipe, 0, index), ())
    writer.finish()
    return Dataset(writer.path)


@pytest.fixture
def lump(tmp_path: Path) -> Path:
    (tmp_path / "cad").mkdir()
    mesh = trimesh.creation.icosphere(1, radius=10)
    mesh.apply_scale([1, 0.7, 0.5])
    mesh.export(tmp_path / "cad" / "lump.stl")
    return tmp_path / "cad" / "lump.stl"


def test_a_moved_dataset_draws_and_maps_the_same_scenes(lump: Path, tmp_path: Path) -> None:
    dataset = write_all(DatasetWriter(tmp_path / "set", recipe_of(lump), 0, 2))
    before = surface_maps(dataset[1].scene)
    content = lump.read_bytes()
    lump.unlink()
    (tmp_path / "set").rename(tmp_path / "moved")
    moved = Dataset(tmp_path / "moved")
    assert (tmp_path / "moved" / "mesh" / "part.stl").read_bytes() == content
    assert moved.header.recipe["part"]["path"] == "mesh/part.stl"
    assert moved.header.recipe["part"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert draw(moved.recipe, 0, 1) == moved[1].scene
    assert np.array_equal(surface_maps(moved[1].scene).height, before.height)
    written = b"".join(path.read_bytes() for path in (tmp_path / "moved").rglob("*.json"))
    assert str(tmp_path).encode() not in written
    assert DatasetWriter(tmp_path / "moved", moved.recipe, 0, 3).missing() == (2,)


def test_a_gltf_in_several_files_is_carried_in_one(lump: Path, tmp_path: Path) -> None:
    for name, content in trimesh.exchange.gltf.export_gltf(trimesh.Scene(trimesh.load_mesh(lump))).items():
        (lump.parent / name).write_bytes(content)
    recipe = recipe_of(lump.parent / "model.gltf")
    writer = DatasetWriter(tmp_path / "set", recipe, 0, 1)
    for path in lump.parent.iterdir():
        path.unlink()
    assert [path.name for path in (tmp_path / "set" / "mesh").iterdir()] == ["part.obj"]
    scene = write_all(writer)[0].scene
    assert scene.part.framed_width == pytest.approx(0.02, rel=0.1)


def test_a_mesh_other_than_the_recipe_names_is_refused(lump: Path, tmp_path: Path) -> None:
    right = hashlib.sha256(lump.read_bytes()).hexdigest()
    DatasetWriter(tmp_path / "right", recipe_of(lump, sha256=right), 0, 1)
    with pytest.raises(BlemishError, match=r"lump\.stl: found a file of SHA-256 .*; expected 000000000000…"):
        DatasetWriter(tmp_path / "wrong", recipe_of(lump, sha256="0" * 64), 0, 1)
    assert not (tmp_path / "wrong").exists()
    DatasetWriter(tmp_path / "begun", recipe_of(lump), 0, 1)
    trimesh.creation.box((3, 4, 5)).export(lump)
    with pytest.raises(DatasetError, match=r"begun differently: recipe\.part\.sha256"):
        DatasetWriter(tmp_path / "begun", recipe_of(lump), 0, 1)


def test_a_mesh_that_no_frame_can_show_begins_nothing(lump: Path, tmp_path: Path) -> None:
    lump.write_bytes(b"solid nothing\nendsolid nothing\n")
    with pytest.raises(BlemishError, match=r"lump\.stl"):
        DatasetWriter(tmp_path / "set", recipe_of(lump), 0, 1)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("path", ["../cad/lump.stl", "/etc/passwd", "mesh/../../cad/lump.stl", "mesh/other.stl", 7])
def test_a_path_that_leads_elsewhere_is_refused(path: object, lump: Path, tmp_path: Path) -> None:
    dataset = write_all(DatasetWriter(tmp_path / "set", recipe_of(lump), 0, 1))
    for name, fields in (("dataset.json", "recipe"), ("scenes/000000.json", "scene")):
        written = json.loads((dataset.path / name).read_text())
        written[fields]["part"]["path"] = path
        (dataset.path / name).write_bytes(sealed(unsealed(written)))
    again = Dataset(dataset.path)
    for read in (lambda: again.recipe, lambda: again[0].scene):
        with pytest.raises(DatasetError, match=r"found the mesh .*; expected mesh/part\.obj"):
            read()


def test_a_link_in_place_of_the_mesh_is_refused(lump: Path, tmp_path: Path) -> None:
    dataset = write_all(DatasetWriter(tmp_path / "set", recipe_of(lump), 0, 1))
    own = dataset.path / "mesh" / "part.stl"
    own.unlink()
    own.symlink_to(lump)
    with pytest.raises(DatasetError, match="found a link that leads out of the dataset"):
        _ = Dataset(dataset.path)[0].scene
    with pytest.raises(DatasetError, match="found a link; expected a file of the dataset's own"):
        DatasetWriter(dataset.path, recipe_of(lump), 0, 1)


def test_what_was_begun_is_taken_back_as_long_as_no_frame_is_there(lump: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, is_there in (("new", False), ("empty", True)):
        writer = DatasetWriter(tmp_path / folder, recipe_of(lump), 0, 2)
        (tmp_path / folder / "images" / "000000.png").write_bytes(b"of a frame that was not finished")
        writer.discard()
        assert (tmp_path / folder).exists() == is_there
        assert not is_there or not list((tmp_path / folder).iterdir())
    kept = write_all(DatasetWriter(tmp_path / "kept", recipe_of(lump), 0, 1))
    DatasetWriter(kept.path, recipe_of(lump), 0, 2).discard()
    assert len(Dataset(kept.path)) == 1
    begun = DatasetWriter(tmp_path / "begun", recipe_of(lump), 0, 1)
    DatasetWriter(tmp_path / "begun", recipe_of(lump), 0, 1).discard()  # which did not begin it
    assert begun.missing() == (0,)
    assert (tmp_path / "begun" / "dataset.json").exists()
