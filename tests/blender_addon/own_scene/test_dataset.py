"""Datasets in a scene of the user: the same bytes by any workers, the file as it was, mistakes told in a line."""

import json
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

from blender_addon import RenderError, render_dataset
from procgen.errors import BlemishError
from scenes import Dataset
from scenes.datasets.files import sha256_of
from scenes.formats import blemish as our_format
from scenes.recipes.recipe import recipe_from
from tests.blender_addon.own_scene.files import add_camera, begin, fields, saved, two_parts
from tests.blender_addon.workers.test_render import contents, kill_in_the_middle

pytestmark = pytest.mark.render

SAMPLES = 1
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c636060600000000400012734"
    "270a0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def blend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_parts(tmp_path_factory.mktemp("own") / "mine.blend")


def rendered(blend: Path, out: Path, frames: int = 1, workers: int = 1, **scene: object) -> Dataset:
    recipe = recipe_from(fields(**scene), "mine.yaml")
    return render_dataset(recipe, out, frames, seed=2, samples=SAMPLES, workers=workers, blend=blend)


def test_a_killed_run_goes_on_to_the_same_bytes_and_the_file_stays(blend: Path, tmp_path: Path) -> None:
    before = sha256_of(blend)
    whole = rendered(blend, tmp_path / "whole", 4, workers=2, cameras="all")
    (tmp_path / "mine.yaml").write_text(json.dumps(fields(cameras="all")))
    command = [sys.executable, "-m", "blemish", "render", str(blend), "--recipe", str(tmp_path / "mine.yaml"), "--out"]
    command += [str(tmp_path / "killed"), "--frames", "4", "--seed", "2", "--samples", str(SAMPLES)]
    kill_in_the_middle(command, tmp_path / "killed")
    subprocess.run(command, check=True, capture_output=True)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert sha256_of(blend) == before
    assert whole.header.settings["blend"] == {"name": "mine.blend", "sha256": before}
    groups = [sample.group for sample in our_format.read(whole.path)]
    assert groups[0] == groups[1] != groups[2] == groups[3]  # two cameras see each surface


def test_a_file_that_has_changed_is_not_taken_up(blend: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mine.blend"
    copy.write_bytes(blend.read_bytes())
    rendered(copy, tmp_path / "set")
    bpy.ops.wm.open_mainfile(filepath=str(copy), load_ui=False)
    bpy.data.objects["Ball"].location.z += 0.01
    saved(copy)
    with pytest.raises(
        RenderError, match=r"has changed since the dataset in .* was begun; expected the file as it was"
    ):
        rendered(copy, tmp_path / "set", 2)


def refused(blend: Path, tmp_path: Path, **scene: object) -> str:
    with pytest.raises(BlemishError) as error:
        rendered(blend, tmp_path / "set", **scene)
    assert not (tmp_path / "set").exists()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("scene", "told"),
    [
        ({"inspect": ["Blok"]}, "found nothing that 'Blok' of the recipe's scene.inspect names; did you mean Block?"),
        ({"inspect": ["Front"]}, "found the type CAMERA for Front"),
        ({"cameras": ["Frunt"]}, "found nothing that 'Frunt' of the recipe's scene.cameras names; did you mean Front?"),
    ],
)
def test_names_that_are_not_there(blend: Path, tmp_path: Path, scene: dict[str, object], told: str) -> None:
    assert told in refused(blend, tmp_path, **scene)


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "no such file; expected a .blend file" in refused(tmp_path / "away.blend", tmp_path)
    (tmp_path / "text.blend").write_text("BLEND, I am not")
    assert "found a file that no Blender wrote" in refused(tmp_path / "text.blend", tmp_path)
    (tmp_path / "torn.blend").write_bytes(b"BLENDER-v300" + bytes(100))
    assert "cannot open it" in refused(tmp_path / "torn.blend", tmp_path)
    (tmp_path / "newer.blend").write_bytes(b"BLENDER17-01v9901" + bytes(100))
    assert "found a file that Blender 99.1 wrote; expected one of" in refused(tmp_path / "newer.blend", tmp_path)


def test_what_a_file_lacks_is_told(tmp_path: Path) -> None:
    begin()
    library = saved(tmp_path / "library.blend")
    begin()
    bpy.ops.mesh.primitive_cube_add(size=0.04)
    bpy.context.object.name = "Block"
    no_camera = saved(tmp_path / "no_camera.blend")
    assert "the scene has no camera" in refused(no_camera, tmp_path, inspect=["Block"])

    bpy.context.scene.camera = add_camera("Front", (0, -0.25, 0.2), 52, 60)
    picture = tmp_path / "picture.png"
    picture.write_bytes(PIXEL)
    tree = bpy.data.objects["Floor"].data.materials[0].node_tree
    tree.nodes.new("ShaderNodeTexImage").image = bpy.data.images.load(str(picture))
    textured = saved(tmp_path / "textured.blend")
    picture.unlink()
    assert "found no file" in (told := refused(textured, tmp_path, inspect=["Block"]))
    assert "picture.png" in told

    begin()
    with bpy.data.libraries.load(str(library), link=True) as (theirs, ours):
        ours.objects = ["Floor"] if "Floor" in theirs.objects else []
    bpy.context.scene.collection.objects.link(ours.objects[0])
    linked = saved(tmp_path / "linked.blend")
    library.unlink()
    assert "library.blend, which it links to" in refused(linked, tmp_path, inspect=["Floor"])


def test_a_recipe_and_a_file_need_each_other(blend: Path, tmp_path: Path) -> None:
    recipe = recipe_from(fields(), "mine.yaml")
    with pytest.raises(RenderError, match=r"has a section scene: found no \.blend"):
        render_dataset(recipe, tmp_path / "set", 1)
    with pytest.raises(RenderError, match=r"plate: found no section scene; expected one with inspect"):
        render_dataset("plate", tmp_path / "set", 1, blend=blend)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["mine.blend"], "found a .blend and no --recipe"),
        (["plate", "--recipe", "plate"], "expected a .blend there"),
        (["--recipe", "plate"], "found no .blend; expected one before it"),
        ([], "found no recipe"),
        (["plate", "--object", "A", "--object", "B"], "expected one part on Blemish's stage"),
        (["mine.blend", "--recipe", "plate", "--blend", "b.blend"], "expected it first"),
    ],
)
def test_mistakes_on_the_command_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    from blemish import run

    assert run(["render", *arguments, "--out", "never"]) == 2
    assert told in capsys.readouterr().err
