"""What is dropped lies on something, through nothing, and lies there again the next time."""

from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon.own_scene.variation import Original, contents_of
from scenes import RandomStream
from scenes.own_scene.drawing import draw_variation
from scenes.own_scene.variation import Variation
from scenes.recipes.recipe import recipe_from

trimesh = pytest.importorskip("trimesh")
pytestmark = pytest.mark.render

NUT_RADIUS, NUT_HEIGHT = 0.01, 0.008  # m
MARGIN = 0.02 * NUT_RADIUS
NUTS = 9


@pytest.fixture
def scene() -> bpy.types.Scene:
    """Nine ring-shaped nuts, whose origins are not in their middles, off a bin in a scene of centimetres."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.unit_settings.scale_length = 0.01
    nut = trimesh.creation.annulus(0.5 * NUT_RADIUS, NUT_RADIUS, NUT_HEIGHT, sections=6)
    nut.apply_translation((0.0, 0.004, 0.006))
    mesh = mesh_of("Nut", nut.vertices, nut.faces, 200.0)  # half its size: the objects are scaled
    for number in range(NUTS):
        thing = bpy.data.objects.new(f"Nut{number}", mesh)
        thing.location, thing.scale = (20 + 3 * number, 0, 0), (0.5, 0.5, 0.5)
        thing.rotation_euler = (0.1 * number, 0.4, 0)
        scene.collection.objects.link(thing)
    outer = trimesh.creation.box((0.1, 0.08, 0.05))
    inner = trimesh.creation.box((0.09, 0.07, 0.05))
    inner.apply_translation((0, 0, 0.005))
    sides = [outer, inner]
    faces = np.concatenate([outer.faces, inner.faces[:, ::-1] + len(outer.vertices)])
    # Open at the top: the rim is no face of either box.
    vertices = np.concatenate([side.vertices for side in sides])
    faces = faces[[not (vertices[face, 2] > 0.0249).all() for face in faces]]
    tray = bpy.data.objects.new("Bin", mesh_of("Bin", vertices, faces, 100.0))
    tray.location = (1, 2, 3)
    scene.collection.objects.link(tray)
    bpy.context.view_layer.update()
    return scene


def mesh_of(name: str, vertices: Any, faces: Any, scale: float) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata((scale * np.asarray(vertices)).tolist(), [], np.asarray(faces).tolist())
    return mesh


def opened(scene: bpy.types.Scene, **resting: Any) -> tuple[Original, Any]:
    fields = {"inspect": ["Nut*"], "resting": {"onto": ["Bin"], **resting}}
    section = recipe_from({"name": "own", "scene": fields}, "own.yaml").scene
    assert section is not None
    names = [f"Nut{number}" for number in range(NUTS)]
    contents = contents_of(scene, names)
    original = Original(scene, section, contents)
    return original, lambda index: draw_variation(section, contents, RandomStream(1, index).at("scene"))


def solid(name: str) -> Any:
    """An object of the scene as a mesh in metres."""
    thing = bpy.data.objects[name]
    mesh = thing.data
    mesh.calc_loop_triangles()
    vertices = np.array([vertex.co for vertex in mesh.vertices])
    faces = np.array([triangle.vertices for triangle in mesh.loop_triangles])
    pose = np.array(thing.matrix_world)
    return trimesh.Trimesh((vertices @ pose[:3, :3].T + pose[:3, 3]) * 0.01, faces, process=False)


def points_of(mesh: Any, rng: np.random.Generator) -> Any:
    """Corners, and points on edges and faces."""
    corners = mesh.triangles
    weights = rng.dirichlet((0.4, 0.4, 0.4), (12, len(corners)))
    return np.concatenate([mesh.vertices, np.einsum("kfi,fij->kfj", weights, corners).reshape(-1, 3)])


def check(names: list[str]) -> None:
    """Nothing is deeper in another than the margin, and everything is held up."""
    meshes = {name: solid(name) for name in [*names, "Bin"]}
    rng = np.random.default_rng(0)
    for name in names:
        points = points_of(meshes[name], rng)
        for other, mesh in meshes.items():
            if other != name:
                depth = trimesh.proximity.signed_distance(mesh, points).max()
                assert depth < MARGIN, f"{name} is {1e3 * depth:.3f} mm deep in {other}"
    for name in names:
        # Shifted down by what may be free below it, it would lie in another.
        points = points_of(meshes[name], rng) - (0, 0, 0.04 * NUT_RADIUS)
        deepest = max(
            trimesh.proximity.signed_distance(mesh, points).max() for other, mesh in meshes.items() if other != name
        )
        assert deepest > 0, f"{name} hangs in the air"


@pytest.mark.parametrize("shape", ["hull", "mesh"])
def test_what_is_dropped_lies_on_something_and_in_nothing(scene: bpy.types.Scene, shape: str) -> None:
    original, drawn = opened(scene, shape=shape)
    for index in range(2):
        settled = original.vary(drawn(index))
        assert settled.drop is not None
        lying = [thing.name for thing in settled.drop.things if thing.rest is not None]
        assert len(lying) >= 7
        check(lying)
        for name in lying:
            assert solid(name).extents.max() < 2.5 * NUT_RADIUS  # its scale is as it was


def test_the_record_alone_puts_everything_back(scene: bpy.types.Scene) -> None:
    original, drawn = opened(scene)
    first = original.vary(drawn(0))
    matrices = {thing.name: np.array(thing.matrix_world) for thing in scene.objects}
    second = original.vary(drawn(1))
    assert second.drop != first.drop
    assert original.vary(drawn(0)) == first  # simulated again
    original.vary(Variation())
    assert original.vary(Variation.model_validate_json(first.model_dump_json())) == first  # not simulated
    for name, matrix in matrices.items():
        assert np.array_equal(np.array(bpy.data.objects[name].matrix_world), matrix)
    assert len(bpy.data.scenes) == 1
    assert len(bpy.data.collections) == 0
    assert bpy.context.window.scene == scene


def test_part_of_a_bin_leaves_the_others_out(scene: bpy.types.Scene) -> None:
    original, drawn = opened(scene, count=3)
    settled = original.vary(drawn(0))
    assert settled.drop is not None
    shown = {thing.name for thing in scene.objects if thing.name.startswith("Nut") and not thing.hide_render}
    assert shown == {thing.name for thing in settled.drop.things if thing.rest is not None}
    assert len(settled.drop.things) == 3


def test_what_falls_off_is_not_shown(scene: bpy.types.Scene) -> None:
    plank = bpy.data.objects["Bin"]
    plank.scale = (0.02, 0.02, -1.0)  # narrower than a nut, and upside down
    original, drawn = opened(scene)
    settled = original.vary(drawn(0))
    assert settled.drop is not None
    fallen = [thing.name for thing in settled.drop.things if thing.rest is None]
    assert len(fallen) >= 5
    assert all(bpy.data.objects[name].hide_render for name in fallen)


def test_a_start_as_in_the_file_keeps_its_turn_where_nothing_tips(scene: bpy.types.Scene) -> None:
    for number in range(NUTS):
        bpy.data.objects[f"Nut{number}"].rotation_euler = (0, 0, 0.3 * number)
    original, drawn = opened(scene, start="own", count=1)
    settled = original.vary(drawn(0))
    assert settled.drop is not None
    (thing,) = settled.drop.things
    assert thing.rest is not None
    # It may spin on its face, but lies on it, whose plane is 2 mm above its origin; the bin's bottom is at 10 mm.
    _, x, y, _ = thing.rest.rotation
    assert np.hypot(x, y) < 5e-3
    assert thing.rest.position[2] == pytest.approx(0.01 - 0.002, abs=MARGIN)
