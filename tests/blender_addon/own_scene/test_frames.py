"""Frames in a scene of the user: exact masks behind what stands before, the user's own picture where no layer is."""

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from blender_addon.own_scene.cameras import view_of
from blender_addon.own_scene.finding import is_hidden
from blender_addon.own_scene.frames import OwnSceneStage
from blender_addon.workers.job import Job
from procgen.surface.layer import overlay
from scenes import Scene
from scenes.datasets.files import parsed, sha256_of
from scenes.pictures import png
from scenes.recipes.recipe import recipe_from
from tests.blender_addon.own_scene.files import fields, material, saved, two_parts
from tests.blender_addon.ray_cast import look_up, near_border

trimesh = pytest.importorskip("trimesh")
pytestmark = pytest.mark.render

SEED, SAMPLES = 3, 4
CLOSE = 0.02  # texels from a border within which a label may be either


def stage_of(blend: Path, recipe: dict[str, Any], **job: Any) -> OwnSceneStage:
    written = recipe_from(recipe, "mine.yaml").model_dump_json()
    return OwnSceneStage(Job(written, SEED, SAMPLES, blend=str(blend), digest=sha256_of(blend), **job))


def frame_of(stage: OwnSceneStage, index: int) -> tuple[dict[str, NDArray[Any]], Scene]:
    files = dict(stage.frame(index))
    record: Any = parsed(files.pop("scenes"), Path("scene"))
    return {name: png.decode(content) for name, content in files.items()}, Scene.model_validate(record["scene"])


@pytest.fixture(scope="module")
def blend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_parts(tmp_path_factory.mktemp("own") / "mine.blend")


def solids(stage: OwnSceneStage) -> list[Any]:
    """Every mesh that the scene shows, as trimesh has it, in the world; the inspected ones first, in their order.

    What is inspected and hidden is without faces.
    """
    names = [one.name for one in stage.objects]
    others = [thing.name for thing in stage.scene.objects if thing.type == "MESH" and not thing.hide_render]
    found = []
    for name in (*names, *(other for other in others if other not in names)):
        if is_hidden(stage.scene.objects[name], stage.scene):
            found += [trimesh.Trimesh()] if name in names else []
            continue
        thing = stage.scene.objects[name].evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = thing.to_mesh()
        mesh.calc_loop_triangles()
        vertices = np.array([vertex.co for vertex in mesh.vertices], dtype=np.float64)
        pose = np.array(thing.matrix_world, dtype=np.float64)
        triangles = [triangle.vertices[:] for triangle in mesh.loop_triangles]
        found.append(trimesh.Trimesh(vertices @ pose[:3, :3].T + pose[:3, 3], triangles, process=False))
    return found


def rays_of(stage: OwnSceneStage, camera: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Origins and directions of all pixels' centres, from what Blender's manual says of lens and sensor."""
    thing, scene = bpy.data.objects[camera], stage.scene
    width, height = scene.render.resolution_x, scene.render.resolution_y
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    pitch = thing.data.sensor_width / max(width, height)
    local = np.stack([(columns - width / 2) * pitch, (height / 2 - rows) * pitch, np.full_like(rows, -thing.data.lens)])
    pose = np.array(thing.matrix_world, dtype=np.float64)
    directions = (pose[:3, :3] @ local.reshape(3, -1)).T
    return np.broadcast_to(pose[:3, 3], directions.shape), directions


def seen_by_rays(
    stage: OwnSceneStage, scene: Scene, shape: tuple[int, int]
) -> tuple[NDArray[Any], dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """(H, W) numbers of the objects that rays meet first, masks by name, and where a border of texels is too near."""
    assert scene.own is not None
    every = solids(stage)
    origins, directions = rays_of(stage, scene.own.camera)
    together = trimesh.util.concatenate(every)
    hits, rays, faces = together.ray.intersects_location(origins, directions, multiple_hits=True)
    distance = np.linalg.norm(hits - origins[rays], axis=1)
    order = np.lexsort((distance, rays))
    first = order[np.unique(rays[order], return_index=True)[1]]
    met_at, met = hits[first], faces[first]
    begins = np.cumsum([0, *(len(mesh.faces) for mesh in every)])
    owner = np.searchsorted(begins, met, side="right") - 1
    numbers = np.zeros(shape, dtype=np.int64)
    expected = {name: np.zeros(shape, dtype=np.int64) for name in ("classes", "defects", "impurities")}
    doubtful = np.zeros(shape, dtype=bool)
    before = 0
    taken = {"defects": 0, "impurities": 0}
    for number, (one, record) in enumerate(zip(stage.objects, scene.own.objects, strict=True)):
        own = slice(before, before + record.layers)
        before += record.layers
        if not len(every[number].faces):
            assert record.layers == 0
            continue
        texture = one.body.texture(record.texel_size)
        layers = [
            layer.to_layer(one.body.part.charts[chart])
            for layer, chart in zip(scene.layers[own], scene.charts[own], strict=True)
        ]
        maps = overlay(texture.points, layers, scene.classes)
        of_thing = {name: texture.scattered(getattr(maps, name)).astype(np.int64) for name in expected}
        for family, ids in taken.items():
            of_thing[family][of_thing[family] > 0] += ids
            taken[family] += sum(f"{instance.family}s".replace("ys", "ies") == family for instance in maps.instances)
        mine = np.flatnonzero(owner == number)
        pixel = rays[first[mine]]
        numbers.flat[pixel] = number + 1
        triangle = met[mine] - begins[number]
        weights = trimesh.triangles.points_to_barycentric(every[number].triangles[triangle], met_at[mine])
        corners = np.array(
            [loop.uv[:] for loop in one.thing.data.uv_layers["blemish atlas"].data], dtype=np.float64
        ).reshape(-1, 3, 2)
        uv = np.einsum("nk,nkj->nj", weights, corners[triangle])
        for name, values in of_thing.items():
            rows, columns = uv[:, 1] * values.shape[0], uv[:, 0] * values.shape[1]
            expected[name].flat[pixel] = look_up(values, rows, columns)
            doubtful.flat[pixel] |= near_border(values, rows, columns, CLOSE)
    return numbers, expected, doubtful


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
        pictures, scene = frame_of(stage, index)
        assert scene.own is not None
        assert (scene.surface, scene.view, scene.own.camera) == (0, index, camera)
        numbers, expected, doubtful = seen_by_rays(stage, scene, pictures["classes"].shape)
        assert np.array_equal(pictures["objects"], numbers)
        for name, values in expected.items():
            assert not ((pictures[name] != values) & ~doubtful).any(), name
        assert doubtful.mean() < 0.01
        assert len(np.unique(pictures["defects"])) > 4
        assert len(np.unique(numbers)) == 4


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
