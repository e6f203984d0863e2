"""What rays through the centres of a camera's pixels meet among all that a scene of the user shows, by trimesh."""

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from blender_addon.own_scene.finding import is_hidden
from blender_addon.own_scene.frames import OwnSceneStage
from blender_addon.rendering.mesh_export import SOLID
from blender_addon.workers.job import Job
from procgen.surface.layer import overlay
from scenes import Scene
from scenes.datasets.files import parsed, sha256_of
from scenes.pictures import png
from scenes.recipes.recipe import recipe_from
from tests.blender_addon.ray_cast import look_up, near_border

trimesh = pytest.importorskip("trimesh")

SEED, SAMPLES = 3, 4
CLOSE = 0.02  # texels from a border within which a label may be either


def stage_of(blend: Path, recipe: dict[str, Any], **job: Any) -> OwnSceneStage:
    written = recipe_from(recipe, "mine.yaml").model_dump_json()
    return OwnSceneStage(Job(written, SEED, SAMPLES, blend=str(blend), digest=sha256_of(blend), **job))


def frame_of(stage: OwnSceneStage, index: int) -> tuple[dict[str, NDArray[Any]], Scene]:
    files = dict(stage.frame(index))
    record: Any = parsed(files.pop("scenes"), Path("scene"))
    return {name: png.decode(content) for name, content in files.items()}, Scene.model_validate(record["scene"])


def solids(stage: OwnSceneStage) -> dict[str, Any]:
    """Every mesh that the scene shows, as trimesh has it, in the world, by its object's name."""
    found = {}
    for thing in stage.scene.objects:
        if thing.type not in SOLID or is_hidden(thing, stage.scene):
            continue
        evaluated = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = evaluated.to_mesh()
        mesh.calc_loop_triangles()
        vertices = np.array([vertex.co for vertex in mesh.vertices], dtype=np.float64)
        pose = np.array(evaluated.matrix_world, dtype=np.float64)
        triangles = [triangle.vertices[:] for triangle in mesh.loop_triangles]
        placed = vertices @ pose[:3, :3].T + pose[:3, 3]
        found[thing.name] = trimesh.Trimesh(placed, triangles, process=False)
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


def check_masks(stage: OwnSceneStage, index: int, camera: str) -> tuple[dict[str, NDArray[Any]], Scene]:
    """Assert that a frame's masks are what rays meet, away from borders of texels; gives its pictures and record.

    stage: of a job with the pass `objects`. camera: that sees the frame.
    """
    pictures, scene = frame_of(stage, index)
    every = solids(stage)
    assert scene.own is not None
    assert scene.own.camera == camera
    shape = pictures["classes"].shape
    origins, directions = rays_of(stage, camera)
    together = trimesh.util.concatenate(list(every.values()))
    hits, rays, faces = together.ray.intersects_location(origins, directions, multiple_hits=True)
    distance = np.linalg.norm(hits - origins[rays], axis=1)
    order = np.lexsort((distance, rays))
    first = order[np.unique(rays[order], return_index=True)[1]]
    met_at, met = hits[first], faces[first]
    begins = np.cumsum([0, *(len(mesh.faces) for mesh in every.values())])
    owner = np.searchsorted(begins, met, side="right") - 1
    places = list(every)
    numbers = np.zeros(shape, dtype=np.int64)
    expected = {name: np.zeros(shape, dtype=np.int64) for name in ("classes", "defects")}
    doubtful = np.zeros(shape, dtype=bool)
    before = taken = 0
    for number, (one, record) in enumerate(zip(stage.objects, scene.own.objects, strict=True)):
        own = slice(before, before + record.layers)
        before += record.layers
        texture = one.body.texture(record.texel_size)
        layers = [
            layer.to_layer(one.body.part.charts[chart])
            for layer, chart in zip(scene.layers[own], scene.charts[own], strict=True)
        ]
        maps = overlay(texture.points, layers, scene.classes)
        classes = texture.scattered(maps.classes)
        defects = texture.scattered(maps.defects).astype(np.int64)
        defects[defects > 0] += taken
        taken += sum(instance.family == "defect" for instance in maps.instances)
        if one.name not in every:  # hidden in this frame, and without layers
            continue
        place = places.index(one.name)
        mine = np.flatnonzero(owner == place)
        pixel = rays[first[mine]]
        numbers.flat[pixel] = number + 1
        triangle = met[mine] - begins[place]
        weights = trimesh.triangles.points_to_barycentric(every[one.name].triangles[triangle], met_at[mine])
        corners = np.array(
            [loop.uv[:] for loop in one.thing.data.uv_layers["blemish atlas"].data], dtype=np.float64
        ).reshape(-1, 3, 2)
        uv = np.einsum("nk,nkj->nj", weights, corners[triangle])
        rows, columns = uv[:, 1] * classes.shape[0], uv[:, 0] * classes.shape[1]
        for name, values in (("classes", classes), ("defects", defects)):
            expected[name].flat[pixel] = look_up(values.astype(np.int64), rows, columns)
            doubtful.flat[pixel] |= near_border(values.astype(np.int64), rows, columns, CLOSE)
    assert np.array_equal(pictures["objects"], numbers)
    for name, values in expected.items():
        assert not ((pictures[name] != values) & ~doubtful).any(), name
    assert doubtful.mean() < 0.01
    return pictures, scene
