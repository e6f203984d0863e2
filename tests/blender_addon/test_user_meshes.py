"""Objects of a .blend as the part: written as they look, unwrapped beside their own UVs, rendered with exact masks."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from blender_addon import RenderError, render_dataset
from blender_addon.workers.blenders import find, own
from blender_addon.workers.render import export_from_blend, with_part
from scenes import load_recipe
from tests.blender_addon.blenders import PROGRAM, WHEELS, executable
from tests.blender_addon.recipes import small
from tests.blender_addon.rendering.test_parts_exactness import check_against_rays, crowded_with
from tests.blender_addon.workers.test_render import contents

trimesh = pytest.importorskip("trimesh")
pytestmark = pytest.mark.render

BEGIN = "import bpy\nbpy.ops.wm.read_factory_settings(use_empty=True)\n"
MONKEY = """
bpy.ops.mesh.primitive_monkey_add(size=0.1, rotation=(-1.2, 0, 0.3), location=(3, 2, 1))
monkey = bpy.context.object
monkey.scale = (1, 0.8, -1.1)
monkey.modifiers.new("smooth", "SUBSURF").levels = 1
"""
THROUGH_GLTF = """
bpy.ops.export_scene.gltf(filepath=FILE[:-6] + ".glb")
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=FILE[:-6] + ".glb")
"""


def blend(path: Path, script: str) -> Path:
    """Save what a script sets up in an empty Blender."""
    code = f"{BEGIN}FILE = {str(path)!r}\n{script}\nbpy.ops.wm.save_as_mainfile(filepath=FILE)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return path


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(MONKEY, id="monkey"),
        pytest.param(MONKEY + THROUGH_GLTF, id="monkey imported from glTF", marks=pytest.mark.slow),
    ],
)
def test_masks_equal_ray_cast_on_an_object_of_the_user(script: str, tmp_path: Path) -> None:
    file = export_from_blend(own(), blend(tmp_path / "a.blend", script), "Suzanne", tmp_path)
    part = {"kind": "mesh", "path": str(file), "unit_mm": 1000}
    check_against_rays(render_dataset(crowded_with(part), tmp_path / "set", 1, 5, samples=1), 0.2)


ARRAY_OF_BOXES = """
bpy.ops.mesh.primitive_cube_add(size=1, rotation=(0, 0, 1.5707963267948966), location=(0.5, 0, 0))
box = bpy.context.object
box.name, box.scale = "box", (0.1, 0.2, -0.3)
repeat = box.modifiers.new("repeat", "ARRAY")
repeat.count, repeat.relative_offset_displace = 2, (3, 0, 0)
bpy.context.scene.unit_settings.scale_length = 0.5
"""


@pytest.mark.parametrize("version", ["this", *WHEELS, PROGRAM])
def test_an_object_is_written_with_its_modifiers_in_its_place_in_metres(version: str, tmp_path: Path) -> None:
    program = own() if version == "this" else find(executable(version))
    code = f"{BEGIN}{ARRAY_OF_BOXES}bpy.ops.wm.save_as_mainfile(filepath={str(tmp_path / 'a.blend')!r})"
    subprocess.run(program.command(code), check=True, capture_output=True)
    written = trimesh.load_mesh(export_from_blend(program, tmp_path / "a.blend", "box", tmp_path), process=False)
    # Two boxes of 0.1 x 0.2 x 0.3, 0.3 apart along what a quarter of a turn makes y; a unit is half a metre.
    assert written.bounds == pytest.approx(np.array([[0.4, -0.05, -0.15], [0.6, 0.35, 0.15]]) * 0.5, abs=1e-7)
    assert len(written.faces) == 24
    assert trimesh.Trimesh(written.vertices, written.faces).volume == pytest.approx(2 * 0.1 * 0.2 * 0.3 / 8)


def test_the_users_uvs_are_left_alone(tmp_path: Path) -> None:
    code = f"""{BEGIN}
from pathlib import Path
import json
import numpy as np
from blender_addon.rendering.mesh_export import export_active
bpy.ops.mesh.primitive_monkey_add(size=0.1)
monkey = bpy.context.object
def state():
    mesh = monkey.data
    uvs = np.empty(2 * len(mesh.loops), dtype=np.float32)
    mesh.uv_layers.active.data.foreach_get("uv", uvs)
    return [layer.name for layer in mesh.uv_layers], uvs.tobytes().hex(), len(mesh.polygons), len(bpy.data.meshes)
before = state()
export_active(monkey, Path({str(tmp_path)!r}))
print("RESULT", json.dumps(before == state()))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "RESULT true" in done.stdout
    assert (tmp_path / "Suzanne.obj").is_file()


def test_a_dataset_carries_its_mesh_and_goes_on_in_another_place(tmp_path: Path) -> None:
    file = export_from_blend(own(), blend(tmp_path / "a.blend", MONKEY), "Suzanne", tmp_path)
    recipe = with_part(small(load_recipe("plate")), file)
    whole = render_dataset(recipe, tmp_path / "whole", 3, samples=1)
    render_dataset(recipe, tmp_path / "begun", 2, samples=1)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "begun").rename(tmp_path / "elsewhere" / "moved")
    file.unlink()
    moved = render_dataset(tmp_path / "elsewhere" / "moved", tmp_path / "elsewhere" / "moved", 3, samples=1)
    assert contents(moved.path) == contents(whole.path)
    assert (
        str(tmp_path) not in (moved.path / "dataset.json").read_text() + (moved.path / "scenes/000000.json").read_text()
    )
    assert moved[0].scene.part.path == str(moved.path / "mesh" / "part.obj")


SCRIPT = """
import json
from pathlib import Path
from procgen.errors import BlemishError
from blender_addon.rendering.mesh_export import export_object

def add(name, vertices, faces):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [(0, 1)], faces)
    bpy.context.collection.objects.link(bpy.data.objects.new(name, mesh))

add("no faces", [(0, 0, 0), (1, 0, 0)], [])
add("not finite", [(0, 0, 0), (1, 0, 0), (0, float("nan"), 0)], [(0, 1, 2)])
add("too many", [(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(0, 1, 2)])
bpy.data.objects["too many"].modifiers.new("subdivide", "SUBSURF").levels = 9
bpy.ops.object.camera_add()
bpy.context.object.name = "no surface"
bpy.data.objects.new("in no scene", bpy.data.meshes.new("in no scene"))
found = {}
for name in ("no faces", "not finite", "too many", "no surface", "in no scene", "nowhere"):
    try:
        found[name] = str(export_object(name, Path(FOLDER)))
    except BlemishError as error:
        found[name] = str(error)
print("\\nRESULT", json.dumps(found))
"""
TOLD = {
    "no faces": "object no faces: found no faces; expected a surface",
    "not finite": "object not finite: found vertices or a transform that are not finite numbers",
    "too many": "object too many: found 393216 triangles; expected at most 300000: give it the modifier Decimate",
    "no surface": "object no surface: found the type CAMERA; expected one with a surface, as a mesh",
    "in no scene": "object in no scene: is not in the scene that is open; expected one that is, as rendering needs",
    "nowhere": "the scene that is open: found no object nowhere; expected one of: in no scene, no faces, not finite, "
    "too many",
}


@pytest.mark.parametrize("version", ["this", *WHEELS, PROGRAM])
def test_objects_that_cannot_be_a_part_are_told_of_in_one_sentence(version: str, tmp_path: Path) -> None:
    program = own() if version == "this" else find(executable(version))
    (tmp_path / "empty").mkdir()
    code = f"{BEGIN}FOLDER = {str(tmp_path / 'empty')!r}\n{SCRIPT}"
    environment = program.environment(str(tmp_path))
    done = subprocess.run(program.command(code), env=environment, check=True, capture_output=True, text=True)
    (result,) = (line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    assert json.loads(result.removeprefix("RESULT ")) == TOLD
    assert not list((tmp_path / "empty").iterdir())


FLAT = "bpy.ops.mesh.primitive_cube_add()\nbpy.context.object.scale = (1, 0, 0)"
FOUR_MILLION = "bpy.ops.mesh.primitive_grid_add(x_subdivisions=2000, y_subdivisions=2000, size=0.1)"


@pytest.mark.parametrize(
    ("script", "name", "told"),
    [
        (FLAT, "Cube", "found triangles without area only"),
        pytest.param(FOUR_MILLION, "Grid", "found 8000000 triangles; expected at most 300000", marks=pytest.mark.slow),
    ],
)
def test_a_refused_object_is_one_line_and_leaves_no_folder(script: str, name: str, told: str, tmp_path: Path) -> None:
    blend(tmp_path / "a.blend", script)
    command = [sys.executable, "-m", "blemish", "render", "plate", "--out", str(tmp_path / "set"), "--object", name]
    done = subprocess.run([*command, "--blend", str(tmp_path / "a.blend")], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert told in line
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("content", [b"", b"BLENDER-v500" + bytes(64), b"hello"])
def test_files_that_are_no_blend_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.blend").write_bytes(content)
    with pytest.raises(RenderError, match=r"a\.blend: (Blender 5\.0 cannot open it|found (no object|a file that no))"):
        export_from_blend(own(), tmp_path / "a.blend", "Cube", tmp_path)
    with pytest.raises(RenderError, match="found a folder; expected"):
        export_from_blend(own(), tmp_path, "Cube", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("version", [*WHEELS, PROGRAM])
def test_masks_on_an_object_are_the_same_from_every_blender(version: str, tmp_path: Path) -> None:
    blender = executable(version)
    file = export_from_blend(own(), blend(tmp_path / "a.blend", MONKEY), "Suzanne", tmp_path)
    recipe = crowded_with({"kind": "mesh", "path": str(file), "unit_mm": 1000})
    sets = [
        render_dataset(recipe, tmp_path / name, 2, 5, samples=1, blender=program)
        for name, program in (("usual", None), ("other", blender))
    ]
    for folder in ("classes", "defects", "impurities", "scenes", "mesh"):
        one, two = (contents(dataset.path / folder) for dataset in sets)
        assert one == two


def test_scripts_of_a_blend_do_not_run(tmp_path: Path) -> None:
    text = f"open({str(tmp_path / 'ran')!r}, 'w')"
    script = f"""
bpy.ops.mesh.primitive_cube_add(size=0.1)
text = bpy.data.texts.new("start.py")
text.write({text!r})
text.use_module = True
"""
    export_from_blend(own(), blend(tmp_path / "a.blend", script), "Cube", tmp_path)
    assert not (tmp_path / "ran").exists()
