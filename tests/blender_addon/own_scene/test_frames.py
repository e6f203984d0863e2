"""Frames in a scene of the user: exact masks behind what stands before, the user's own picture where no layer is."""

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from blender_addon.own_scene.cameras import view_of
from scenes.pictures import png
from tests.blender_addon.own_scene.files import fields, material, saved, two_parts
from tests.blender_addon.own_scene.rays import SAMPLES, check_masks, frame_of, rays_of, stage_of

pytestmark = pytest.mark.render


@pytest.fixture(scope="module")
def blend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_parts(tmp_path_factory.mktemp("own") / "mine.blend")


@pytest.mark.parametrize("surface", ["own", "finish"])
def test_masks_are_what_rays_through_all_meshes_meet(blend: Path, surface: str) -> None:
    recipe = fields(surface=surface, cameras="all")
    if surface == "finish":
        recipe["finish"] = {
            "kind": "cast",
            "ra_um": 3,
            "sand_size_mm": 0.5,
            "base_colour": [0.5, 0.5, 0.5],
            "roughness": 0.5,
        }
    stage = stage_of(blend, recipe, passes={"objects": "png", "depth": "png"})
    for index, camera in enumerate(("Front", "Top")):
        pictures, scene = check_masks(stage, index, camera)
        assert (scene.surface, scene.view) == (0, index)
        assert len(np.unique(pictures["defects"])) > 4
        assert len(np.unique(pictures["objects"])) == 4


def plainly_rendered(blend: Path, picture: Path) -> NDArray[Any]:
    """What Blender by itself makes of a file at these samples."""
    bpy.ops.wm.open_mainfile(filepath=str(blend), load_ui=False)
    scene = bpy.context.scene
    scene.cycles.samples, scene.cycles.use_adaptive_sampling = SAMPLES, False
    scene.render.filepath = str(picture)
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGB"
    bpy.ops.render.render(write_still=True)
    return png.decode(picture.read_bytes()).astype(int)


def test_the_users_picture_is_kept_where_no_layer_is(blend: Path, tmp_path: Path) -> None:
    bare = {**fields(), "defects": []}
    stage = stage_of(blend, bare)
    ours = frame_of(stage, 0)[0]["images"].astype(int)
    laid = frame_of(stage_of(blend, fields()), 0)[0]
    theirs = plainly_rendered(blend, tmp_path / "theirs.png")
    differing = np.abs(ours - theirs).max(axis=2)
    assert (differing > 2).mean() < 0.002  # paths that round-off sends another way

    marked = laid["classes"] > 0
    changed = np.abs(laid["images"].astype(int) - theirs).max(axis=2) > 8
    assert changed[marked].mean() > 3 * changed[~marked].mean()


@pytest.mark.parametrize("name", ["Ball", "Pin.001"])
def test_what_is_transparent_hides_what_is_behind_it_as_the_opaque_does(blend: Path, tmp_path: Path, name: str) -> None:
    recipe = fields(inspect=["Block", "Pin.001"])
    opaque = frame_of(stage_of(blend, recipe, passes={"objects": "png"}), 0)[0]
    bpy.ops.wm.open_mainfile(filepath=str(blend), load_ui=False)
    thing = bpy.data.objects[name]
    clear = material("clear", (1, 1, 1), 0.0, 1)
    clear.node_tree.nodes["Principled BSDF"].inputs["Alpha"].default_value = 0.2
    thing.data.materials.clear()
    thing.data.materials.append(clear)
    seen = frame_of(stage_of(saved(tmp_path / "clear.blend"), recipe, passes={"objects": "png"}), 0)[0]
    assert not np.array_equal(seen["images"], opaque["images"])
    for picture in ("objects", "classes", "defects"):
        assert np.array_equal(seen[picture], opaque[picture])


def test_what_is_inspected_does_not_depend_on_what_else_is(blend: Path) -> None:
    many = frame_of(stage_of(blend, fields()), 4)[1]
    few = frame_of(stage_of(blend, fields(inspect=["Pin.002"])), 4)[1]
    assert many.own is not None
    assert few.own is not None
    last = many.own.objects[-1].layers
    assert many.own.objects[-1].name == few.own.objects[0].name == "Pin.002"
    assert many.layers[-last:] == few.layers
    assert many.layers[:last] != few.layers


def test_a_frame_does_not_depend_on_the_one_before(blend: Path) -> None:
    recipe = fields(pose=[{"shift_x_mm": {"uniform": [-8, 8]}, "turn_z_degrees": {"uniform": [0, 90]}}])
    stage = stage_of(blend, recipe)
    stage.frame(0)
    assert stage.frame(1) == stage_of(blend, recipe).frame(1)


def test_the_view_casts_the_rays_of_the_camera(blend: Path) -> None:
    stage = stage_of(blend, fields())
    camera = bpy.data.objects["Front"]
    camera.data.shift_x = 0.0
    view = view_of(camera, stage.scene)
    origins, directions = rays_of(stage, "Front")
    width = stage.scene.render.resolution_x
    for row, column in ((0, 0), (40, 71), (74, 99)):
        origin, direction = view.ray(row, column)
        expected = directions[row * width + column]
        assert np.allclose(origin, origins[0], atol=1e-7)
        assert np.allclose(direction / np.linalg.norm(direction), expected / np.linalg.norm(expected), atol=1e-6)
