"""`blemish` typed at Blenders without a window: the same arguments, words, exit codes and bytes as in a shell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blender_addon import headless, render_dataset
from blender_addon.workers.blenders import libraries
from scenes import load_recipe
from tests.blender_addon.blenders import PROGRAM, WHEELS, executable
from tests.blender_addon.recipes import small
from tests.blender_addon.workers.test_render import contents

pytestmark = pytest.mark.render


def typed(tmp_path: Path, *arguments: str, blend: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run headless.py in the Blender program; skips where there is none."""
    program = executable(PROGRAM)
    before = [str(blend)] if blend else ["--factory-startup"]
    command = [program, "--background", *before, "--python-use-system-env", "--python", str(headless.__file__), "--"]
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(libraries()), "BLENDER_USER_CONFIG": str(tmp_path / "profile")
    }  # fmt: skip
    return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_a_recipe_typed_at_blender_gives_what_the_shell_gives(tmp_path: Path) -> None:
    program = executable(PROGRAM)
    recipe = small(load_recipe("plate"))
    (tmp_path / "recipe.yaml").write_text(recipe.model_dump_json())
    done = typed(
        tmp_path, "render", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "typed"), "--frames", "1",
        "--samples", "2",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert f"1 frames in {tmp_path / 'typed'}" in done.stdout
    render_dataset(recipe, tmp_path / "shell", 1, samples=2, blender=program)
    assert contents(tmp_path / "typed") == contents(tmp_path / "shell")


def test_an_object_of_the_opened_blend_is_the_part(tmp_path: Path) -> None:
    program, blend = executable(PROGRAM), tmp_path / "a.blend"
    code = (
        f"import bpy; bpy.context.object.scale = (.02, .02, .01); bpy.ops.wm.save_as_mainfile(filepath={str(blend)!r})"
    )
    subprocess.run([program, "-b", "--factory-startup", "--python-expr", code], check=True, capture_output=True)
    (tmp_path / "recipe.yaml").write_text(small(load_recipe("plate")).model_dump_json())
    recipe = str(tmp_path / "recipe.yaml")
    done = typed(
        tmp_path, "render", recipe, "--out", str(tmp_path / "set"), "--frames", "1", "--samples", "1", "--object",
        "Cube", blend=blend,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "set" / "mesh" / "part.obj").read_text().count("\nv ") == 7  # and one on the first line
    command = [sys.executable, "-m", "blemish", "render", recipe, "--frames", "1", "--samples", "1", "--object", "Cube"]
    subprocess.run(
        [*command, "--blend", str(blend), "--blender", program, "--out", str(tmp_path / "shell")], check=True
    )
    assert contents(tmp_path / "set") == contents(tmp_path / "shell")


def test_the_scene_of_the_opened_blend_is_rendered(tmp_path: Path) -> None:
    program, blend = executable(PROGRAM), tmp_path / "a.blend"
    code = (
        "import bpy; bpy.context.object.scale = (.02, .02, .01); "
        "bpy.data.objects['Camera'].location = (.1, -.1, .08); bpy.data.objects['Camera'].data.clip_start = .001; "
        "bpy.context.scene.render.resolution_x = bpy.context.scene.render.resolution_y = 64; "
        f"bpy.ops.wm.save_as_mainfile(filepath={str(blend)!r})"
    )
    subprocess.run([program, "-b", "--factory-startup", "--python-expr", code], check=True, capture_output=True)
    options = ["--recipe", "plate", "--object", "Cube", "--frames", "1", "--samples", "1", "--out"]
    done = typed(tmp_path, "render", *options, str(tmp_path / "set"), blend=blend)
    assert (done.returncode, "a.blend has its own" in done.stderr) == (0, True)
    command = [sys.executable, "-m", "blemish", "render", str(blend), *options, str(tmp_path / "shell")]
    subprocess.run([*command, "--blender", program], check=True, capture_output=True)
    assert contents(tmp_path / "set") == contents(tmp_path / "shell")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("render", "plat", "--out", "x"), "did you mean plate"),
        (("render", "plate", "--frames", "0", "--out", "x"), "greater than or equal to 1, found 0"),
        (("rendr",), "No such command"),
        (("render", "plate", "--out", "x", "--object", "Cub"), "found no object Cub; expected one of: Cube"),
    ],
)
def test_mistakes_typed_at_blender_are_one_line(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    done = typed(tmp_path, *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("blemish: ")
    assert told in line


@pytest.mark.parametrize("version", ["this", *WHEELS])
def test_the_command_is_known_to_blender_while_it_is_registered(version: str) -> None:
    python = sys.executable if version == "this" else executable(version)
    code = """
import sys
import bpy
from blender_addon import headless
headless.register()
known = len(headless._registered)
code = headless.command(["recipes"])
refused = headless.command(["render", "plat", "--out", "x"])
headless.unregister()
headless.register()
headless.unregister()
print("RESULT", known, code, refused, headless._registered)
"""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert "RESULT 1 0 2 []" in done.stdout
    assert "plate" in done.stdout
