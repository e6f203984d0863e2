"""A scene of the user brought to what a record says: exactly, and whatever was shown before."""

import math
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from blender_addon.own_scene.variation import Original, contents_of
from blender_addon.rendering.passes import picture_in, render
from blender_addon.workers import compat
from procgen.errors import BlemishError
from scenes import RandomStream
from scenes.own_scene.drawing import draw_variation
from scenes.own_scene.section import OwnSceneRecipe
from scenes.own_scene.variation import Moved, Variation
from scenes.pictures import exr
from scenes.recipes.recipe import recipe_from

pytestmark = pytest.mark.render


@pytest.fixture
def scene() -> bpy.types.Scene:
    """A part that hangs on a sheared, driven frame, clutter, two lights that share their data, an animated camera."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.unit_settings.scale_length = 0.001  # the file is in millimetres
    scene.frame_current = 3
    frame = add("Frame", None)
    frame.rotation_euler, frame.scale = (0.3, -0.2, 0.5), (1.0, 2.0, 0.5)
    bpy.ops.mesh.primitive_cube_add(size=10)
    part = bpy.context.object
    part.name, part.parent, part.rotation_euler, part.location = "Part", frame, (0.4, 0.1, 0.9), (3, 4, 5)
    part.keyframe_insert("location", frame=1)
    part.location.x = 40
    part.keyframe_insert("location", frame=11)
    bpy.ops.mesh.primitive_cube_add(size=2, location=(20, 0, 0))
    bpy.context.object.name = "Screw"
    tag = add("Tag", bpy.data.meshes.new("Tag"))
    tag.parent = bpy.data.objects["Screw"]
    lamp = bpy.data.lights.new("Lamp", "POINT")
    lamp.energy, lamp.color = 30.0, (1.0, 0.5, 0.25)
    add("Key", lamp).location, add("Fill", lamp).location = (60, 0, 80), (0, 70, 80)
    camera = add("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.data.lens = (0, 0, 100), 40
    camera.keyframe_insert("location", frame=1)
    camera.data.keyframe_insert("lens", frame=1)
    camera.location, camera.data.lens = (0, 0, 200), 60
    camera.keyframe_insert("location", frame=11)
    camera.data.keyframe_insert("lens", frame=11)
    for action in bpy.data.actions:
        for curve in curves_of(action):
            for point in curve.keyframe_points:
                point.interpolation = "LINEAR"
    scene.camera = camera
    scene.world = bpy.data.worlds.new("World")
    if scene.world.node_tree is None:  # before Blender 5.0
        scene.world.use_nodes = True
    scene.frame_set(3)
    return scene


def curves_of(action: Any) -> Any:
    if not hasattr(action, "layers"):  # before Blender 4.4, whose actions hold the curves of several things
        return action.fcurves
    return [
        curve for layer in action.layers for strip in layer.strips for bag in strip.channelbags for curve in bag.fcurves
    ]


def add(name: str, data: Any) -> bpy.types.Object:
    thing = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def section_of(**fields: Any) -> OwnSceneRecipe:
    section = recipe_from({"name": "own", "scene": {"inspect": ["Part"], **fields}}, "own.yaml").scene
    assert section is not None
    return section


def opened(scene: bpy.types.Scene, section: OwnSceneRecipe) -> Original:
    return Original(scene, section, contents_of(scene, ["Part"]))


def drawn(original: Original, index: int) -> Variation:
    return draw_variation(original.section, contents_of(original.scene, ["Part"]), RandomStream(4, index).at("scene"))


def world_matrix(name: str) -> NDArray[np.float64]:
    return np.array(bpy.data.objects[name].matrix_world)


def state(scene: bpy.types.Scene) -> dict[str, Any]:
    """All that frames may differ in."""
    bpy.context.view_layer.update()
    world = scene.world.node_tree
    return {
        "matrices": {thing.name: np.array(thing.matrix_world).tolist() for thing in scene.objects},
        "hidden": {thing.name: (thing.hide_render, thing.hide_viewport) for thing in scene.objects},
        "lights": {
            thing.name: (thing.data.energy, tuple(thing.data.color)) for thing in scene.objects if thing.type == "LIGHT"
        },
        "lenses": {thing.name: thing.data.lens for thing in scene.objects if thing.type == "CAMERA"},
        "world": sorted(
            (node.bl_idname, [tuple(np.ravel(s.default_value)) for s in node.inputs if hasattr(s, "default_value")])
            for node in world.nodes
        ),
        "frame": scene.frame_current,
    }


EVERYTHING: dict[str, Any] = {
    "camera_frame": {"uniform": [1, 11]},
    "pose": [{"shift_x_mm": {"uniform": [-9, 9]}, "turn_y_degrees": {"uniform": [-90, 90]}, "axes": "own"}],
    "conveyor": {
        "objects": ["Part", "Screw"],
        "travel_mm": {"uniform": [0, 50]},
        "turn_degrees": {"uniform": [0, 360]},
    },
    "lights": [
        {"lights": ["Key"], "strength": {"uniform": [0, 3]}, "turn_degrees": {"uniform": [0, 360]}},
        {"lights": ["Fill"], "tint": [1, {"uniform": [0, 1]}, 0.5]},
    ],
    "world": {"turn_degrees": {"uniform": [0, 360]}, "strength": {"uniform": [0, 2]}},
    "clutter": [{"objects": ["Screw"], "probability": 0.5}],
}


def test_opening_leaves_the_scene_as_the_file_has_it(scene: bpy.types.Scene) -> None:
    before = state(scene)
    sheared = np.linalg.svd(world_matrix("Part")[:3, :3], compute_uv=True)
    assert not np.allclose(sheared[1], sheared[1][0])
    opened(scene, section_of(**EVERYTHING))
    after = state(scene)
    for name, matrix in before["matrices"].items():
        assert after["matrices"][name] == matrix
    assert {name: after["lights"][name] for name in before["lights"]} == before["lights"]
    assert after["lenses"]["Camera"] == before["lenses"]["Camera"]


def test_a_frame_does_not_depend_on_what_was_shown_before(scene: bpy.types.Scene) -> None:
    original = opened(scene, section_of(**EVERYTHING))
    records = [drawn(original, index) for index in range(6)]
    assert {bool(record.hidden) for record in records} == {True, False}
    seen = []
    for record in records:
        assert original.vary(record) == record
        seen.append(state(scene))
    assert all(one != other for k, one in enumerate(seen) for other in seen[:k])
    for index in (3, 0, 5, 5, 1, 4, 2):
        original.vary(Variation.model_validate_json(records[index].model_dump_json()))
        assert state(scene) == seen[index]
    original.restore()
    pristine = state(scene)
    original.vary(records[2])
    original.restore()
    assert state(scene) == pristine
    assert len(bpy.data.worlds) == 1


def test_moves_are_what_they_say_in_millimetres_about_the_origin(scene: bpy.types.Scene) -> None:
    before = world_matrix("Part")
    original = opened(scene, section_of(pose=[{"shift_x_mm": 1}]))
    turn = (0.3, -0.2, 1.1)
    original.vary(Variation(moved=(Moved(name="Part", axes="world", shift=(0.001, 0, 0.002), turn=turn),)))
    turned = Rotation.from_euler("xyz", turn).as_matrix()
    expected = np.vstack([np.column_stack([turned @ before[:3, :3], before[:3, 3] + (1, 0, 2)]), [0, 0, 0, 1]])
    assert world_matrix("Part") == pytest.approx(expected, abs=1e-5)


def test_own_axes_are_those_of_the_object(scene: bpy.types.Scene) -> None:
    original = opened(scene, section_of(pose=[{"objects": ["Screw"], "shift_x_mm": 1}]))
    screw = bpy.data.objects["Screw"]
    tilted = Moved(name="Screw", axes="world", shift=(0, 0, 0), turn=(0, 0, math.pi / 2))
    own = Moved(name="Screw", axes="own", shift=(0.005, 0, 0), turn=(math.pi / 2, 0, 0))
    original.vary(Variation(moved=(tilted, own)))
    assert np.array(screw.matrix_world.translation) == pytest.approx([20, 5, 0], abs=1e-5)  # its X is the world's Y
    assert np.array(screw.matrix_world.col[0][:3]) == pytest.approx([0, 1, 0], abs=1e-6)
    assert np.array(screw.matrix_world.col[1][:3]) == pytest.approx([0, 0, 1], abs=1e-6)
    assert world_matrix("Tag")[:3, 3] == pytest.approx([20, 5, 0], abs=1e-5)  # what hangs on it follows


def test_the_camera_follows_its_animation_and_nothing_else_does(scene: bpy.types.Scene) -> None:
    part = world_matrix("Part")
    original = opened(scene, section_of(camera_frame={"uniform": [1, 11]}))
    original.vary(Variation(camera_frame=8.5))
    camera = bpy.data.objects["Camera"]
    assert camera.matrix_world.translation.z == pytest.approx(175)
    assert camera.data.lens == pytest.approx(55)
    assert scene.frame_current == 3
    assert np.array_equal(world_matrix("Part"), part)
    original.vary(Variation())
    assert camera.matrix_world.translation.z == pytest.approx(120)
    assert camera.data.lens == pytest.approx(44)


def test_lights_that_share_their_data_differ_each(scene: bpy.types.Scene) -> None:
    parts_pose = world_matrix("Part")
    original = opened(scene, section_of(**EVERYTHING))
    record = drawn(original, 0)
    original.vary(record)
    key, fill = record.lights
    assert bpy.data.objects["Key"].data.energy == pytest.approx(30 * key.strength)
    assert tuple(bpy.data.objects["Fill"].data.color) == pytest.approx((1, 0.5 * fill.tint[1], 0.125))
    # They turn about the upright axis through the middle of what is inspected.
    corners = np.array([[*corner, 1.0] for corner in bpy.data.objects["Part"].bound_box]) @ parts_pose.T
    assert original.axis == pytest.approx(((corners.max(axis=0) + corners.min(axis=0)) / 2)[:2], abs=1e-4)
    centre = complex(*original.axis)
    turned = (complex(60, 0) - centre) * np.exp(1j * key.turn) + centre
    assert world_matrix("Key")[:3, 3] == pytest.approx([turned.real, turned.imag, 80], abs=1e-4)


def test_what_hangs_on_hidden_things_is_hidden_too(scene: bpy.types.Scene) -> None:
    original = opened(scene, section_of())
    original.vary(Variation(hidden=("Screw",)))
    assert bpy.data.objects["Screw"].hide_render
    assert bpy.data.objects["Tag"].hide_render
    original.vary(Variation())
    assert not bpy.data.objects["Tag"].hide_render


def test_a_section_that_names_what_is_not_there_is_refused_at_once(scene: bpy.types.Scene) -> None:
    with pytest.raises(BlemishError, match=r"'Lamp' of the recipe's scene.lights names"):
        opened(scene, section_of(lights=[{"lights": ["Lamp"]}]))


def pixels(scene: bpy.types.Scene) -> NDArray[np.float32]:
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 0.01
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 32, 16, 100
    scene.view_settings.view_transform = "Raw"
    compat.write_float_exr(scene.render.image_settings, layers=False)
    return picture_in(render(scene))


def picture(path: Path, values: NDArray[np.float64]) -> None:
    """Write (rows, columns, 3) linear values, row 0 at the top."""
    path.write_bytes(exr.encode(dict(zip("RGB", values.astype(np.float32).transpose(2, 0, 1), strict=True))))


@pytest.fixture
def panorama(scene: bpy.types.Scene) -> bpy.types.Scene:
    """Nothing but a camera that sees all directions."""
    for thing in list(scene.objects):
        if thing.name not in ("Part", "Camera"):
            bpy.data.objects.remove(thing)
    bpy.data.objects["Part"].hide_render = True
    camera = bpy.data.objects["Camera"]
    camera.animation_data_clear()
    camera.data.animation_data_clear()
    camera.location, camera.rotation_euler = (0, 0, 0), (math.pi / 2, 0, 0)
    camera.data.type = "PANO"
    lens = camera.data if hasattr(camera.data, "panorama_type") else camera.data.cycles
    lens.panorama_type = "EQUIRECTANGULAR"
    return scene


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    folder = tmp_path / "rooms"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        picture(folder / f"{name}.exr", rng.uniform(0, 1, (16, 32, 3)))
    return folder


def test_surroundings_turn_counterclockwise_seen_from_above(panorama: bpy.types.Scene, rooms: Path) -> None:
    section = section_of(world={"turn_degrees": 90, "strength": 2, "hdris": {"folder": str(rooms)}})
    original = opened(panorama, section)
    record = drawn(original, 0)
    assert record.world is not None
    still = record.model_copy(update={"world": record.world.model_copy(update={"turn": 0.0})})
    original.vary(still)
    before = pixels(panorama)
    assert before.std() > 0.1
    original.vary(record)
    # What was straight ahead (+Y) is now to the left (-X): a quarter of the panorama to the left.
    turned = pixels(panorama)
    assert (
        np.abs(turned - np.roll(before, -8, axis=1)).mean() < 0.01 < np.abs(turned - np.roll(before, 8, axis=1)).mean()
    )
    halved = still.model_copy(update={"world": record.world.model_copy(update={"turn": 0.0, "strength": 1.0})})
    original.vary(halved)
    assert 2 * pixels(panorama) == pytest.approx(before, abs=1e-3)
    images = len(bpy.data.images)
    for index in range(5):
        original.vary(drawn(original, index))
    assert len(bpy.data.images) == images


def test_a_picture_lies_behind_everything_and_lights_nothing(scene: bpy.types.Scene, tmp_path: Path) -> None:
    folder = tmp_path / "behind"
    folder.mkdir()
    values = np.random.default_rng(1).uniform(0.2, 1, (16, 64, 3))  # twice as wide as the frame: cut at both sides
    picture(folder / "wide.exr", values)
    camera = bpy.data.objects["Camera"]
    for light in ("Key", "Fill"):
        bpy.data.objects.remove(bpy.data.objects[light])
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.0
    scene.render.film_transparent = True
    camera.data.sensor_width = 30.0
    original = opened(scene, section_of(background={"folder": str(folder)}))
    pixels(scene)
    original.vary(drawn(original, 0))
    seen = pixels(scene)
    part = (seen == 0).all(axis=2)
    assert 4 < part.sum() < 200  # black, as nothing lights it
    assert seen[~part] == pytest.approx(values[:, 16:48][~part], abs=0.08)
    original.vary(Variation())
    assert scene.render.film_transparent
