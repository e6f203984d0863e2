"""What a scene and a disk may do to the panel: every operator answers in Blender's way, by a report and no traceback.

Runs in whichever Blender runs the tests; `inside.py` runs it in a Blender that is no Python.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

pytestmark = pytest.mark.render

MANY = 2000  # faces along each side of a grid of four million
TOLERANCE = 1e-6  # metres


@pytest.fixture(scope="module", autouse=True)
def _panel() -> Iterator[None]:
    import blender_addon

    with contextlib.suppress(Exception):  # where another module's tests have left it registered
        blender_addon.unregister()
    blender_addon.register()
    yield
    blender_addon.unregister()


@pytest.fixture(autouse=True)
def scene() -> Any:
    """An empty file: neither camera nor light nor world."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    settings = bpy.context.scene.blemish
    settings.preview.size = "256"
    return bpy.context.scene


def refusal(operator: Callable[..., set[str]], **options: Any) -> str:
    """What an operator reports as it refuses; fails where it does not refuse, or by a traceback."""
    with pytest.raises(RuntimeError) as caught:
        operator(**options)
    said = str(caught.value)
    assert "Traceback" not in said, said
    return said


def add_mesh(vertices: Any, faces: Any, name: str = "mine") -> Any:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(thing)
    return activate(thing)


def activate(thing: Any) -> Any:
    bpy.context.view_layer.objects.active = thing
    thing.select_set(True)
    return thing


def monkey(size: float = 0.05) -> Any:
    bpy.ops.mesh.primitive_monkey_add(size=size)
    return bpy.context.active_object


def extent(thing: Any) -> np.ndarray:
    """(3,) metres in the world, of a mesh as it is evaluated."""
    evaluated = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    corners = np.array([evaluated.matrix_world @ vertex.co for vertex in evaluated.data.vertices])
    return np.ptp(corners, axis=0)


def problem() -> str:
    from blender_addon.ui.preview import viewport

    return viewport.update(bpy.context.scene).problem


def test_a_scene_without_camera_light_and_world(scene: Any) -> None:
    assert scene.camera is None
    assert scene.world is None
    bpy.ops.mesh.blemish_part_add(kind="plate")
    bpy.ops.blemish.look_through()
    assert scene.camera is not None
    scene.blemish.preview.stage = False
    bpy.ops.blemish.preview_update()
    assert scene.camera is None
    assert scene.world is None


def test_a_mesh_without_texture_coordinates_keeps_none() -> None:
    mine = monkey()
    while mine.data.uv_layers:
        mine.data.uv_layers.remove(mine.data.uv_layers[0])
    bpy.ops.blemish.part_from_active()
    assert len(mine.data.uv_layers) == 0
    assert problem() == ""


def test_texture_coordinates_of_a_mesh_stay_as_they_are() -> None:
    mine = monkey()
    before = np.zeros(2 * len(mine.data.loops), dtype=np.float32)
    mine.data.uv_layers[0].data.foreach_get("uv", before)
    assert np.ptp(before) > 0
    bpy.ops.blemish.part_from_active()
    after = np.zeros_like(before)
    mine.data.uv_layers[0].data.foreach_get("uv", after)
    np.testing.assert_array_equal(after, before)
    assert bpy.context.scene.blemish.preview.object.data != mine.data


def test_faces_without_area_among_others() -> None:
    square = [(0, 0, 0), (0.05, 0, 0), (0.05, 0.05, 0), (0, 0.05, 0)]
    add_mesh([*square, (0.01, 0, 0), (0.02, 0, 0)], [(0, 1, 2, 3), (0, 4, 5), (2, 2, 3)])
    bpy.ops.blemish.part_from_active()
    assert problem() == ""


@pytest.mark.parametrize(
    ("vertices", "faces", "said"),
    [
        ([(0, 0, 0), (0.01, 0, 0), (0.02, 0, 0)], [(0, 1, 2)], "area"),
        ([(0, 0, 0), (0.01, 0, 0), (0, 0.01, 0)], [], "no faces"),
        ([], [], "no faces"),
        ([(0, 0, 0), (float("nan"), 0, 0), (0, 0.01, 0)], [(0, 1, 2)], "finite"),
        ([(0, 0, 0), (float("inf"), 0, 0), (0, 0.01, 0)], [(0, 1, 2)], "finite"),
        ([(0, 0, 0), (1e-7, 0, 0), (0, 1e-7, 0)], [(0, 1, 2)], "mm"),
        ([(0, 0, 0), (1e7, 0, 0), (0, 1e7, 0)], [(0, 1, 2)], "mm"),
    ],
    ids=["no area", "points", "empty", "nan", "infinite", "tiny", "huge"],
)
def test_meshes_that_are_no_surface_are_refused(vertices: Any, faces: Any, said: str, scene: Any) -> None:
    kind = scene.blemish.part.kind
    mine = add_mesh(vertices, faces)
    assert said in refusal(bpy.ops.blemish.part_from_active)
    assert scene.blemish.part.kind == kind
    assert not mine.hide_get()


def test_edges_of_three_faces_are_refused() -> None:
    fins = [(0, 0, 0), (0.05, 0, 0), (0, 0.05, 0), (0, 0, 0.05), (0, -0.05, 0)]
    add_mesh(fins, [(0, 1, 2), (0, 1, 3), (0, 1, 4)])
    assert "more than two faces" in refusal(bpy.ops.blemish.part_from_active)


@pytest.mark.parametrize("scale", [(2.0, 0.5, 1.0), (1.0, 1.0, -1.0), (-0.3, 0.7, 1.9)])
def test_scale_is_applied_to_the_part_and_not_to_the_object(scale: tuple[float, float, float]) -> None:
    mine = monkey()
    mine.scale = scale
    mine.rotation_euler = (0.3, 0.2, 0.1)
    bpy.context.view_layer.update()
    wanted = extent(mine)
    bpy.ops.blemish.part_from_active()
    np.testing.assert_allclose(tuple(mine.scale), scale)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(extent(bpy.context.scene.blemish.preview.object), wanted, atol=TOLERANCE)


def test_an_object_without_extent_is_refused() -> None:
    monkey().scale = (0, 0, 0)
    bpy.context.view_layer.update()
    refusal(bpy.ops.blemish.part_from_active)


def test_units_of_the_scene_are_those_of_the_part(scene: Any) -> None:
    scene.unit_settings.scale_length = 0.001  # Blender's unit is a millimetre
    mine = monkey(size=50)
    wanted = extent(mine)
    bpy.ops.blemish.part_from_active()
    bpy.context.view_layer.update()
    np.testing.assert_allclose(extent(scene.blemish.preview.object), wanted, rtol=1e-5)
    assert problem() == ""


def test_four_million_faces_are_refused_by_their_number() -> None:
    side = np.linspace(0, 0.1, MANY + 1)
    x, y = np.meshgrid(side, side)
    corner = np.arange(MANY)[:, None] * (MANY + 1) + np.arange(MANY)
    faces = np.stack([corner, corner + 1, corner + MANY + 2, corner + MANY + 1], axis=-1).reshape(-1, 4)
    mesh = bpy.data.meshes.new("dense")
    mesh.vertices.add(x.size)
    mesh.vertices.foreach_set("co", np.stack([x, y, 0 * x], axis=-1).astype(np.float32).ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", faces.astype(np.int32).ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 4, dtype=np.int32))
    if bpy.app.version < (4, 0):
        mesh.polygons.foreach_set("loop_total", np.full(len(faces), 4, dtype=np.int32))
    mesh.update()
    assert len(mesh.polygons) == MANY**2
    dense = bpy.data.objects.new("dense", mesh)
    bpy.context.collection.objects.link(dense)
    activate(dense)
    said = refusal(bpy.ops.blemish.part_from_active)
    assert f"{2 * MANY**2} triangles" in said
    assert "Decimate" in said


@pytest.mark.parametrize("kind", ["CURVE", "FONT", "META"])
def test_other_things_with_a_surface_can_be_parts(kind: str) -> None:
    if kind == "CURVE":
        bpy.ops.curve.primitive_bezier_circle_add(radius=0.05)
        bpy.context.active_object.data.bevel_depth = 0.005
    elif kind == "FONT":
        bpy.ops.object.text_add(radius=0.05)
        bpy.context.active_object.data.extrude = 0.003
    else:
        bpy.ops.object.metaball_add(radius=0.05)
        bpy.context.active_object.data.resolution = 0.01
    bpy.context.view_layer.update()
    bpy.ops.blemish.part_from_active()
    assert problem() == ""


def test_things_without_a_surface_are_greyed_out_with_the_reason() -> None:
    assert not bpy.ops.blemish.part_from_active.poll()
    bpy.ops.object.camera_add()
    assert not bpy.ops.blemish.part_from_active.poll()
    assert "no surface" in refusal(bpy.ops.blemish.part_from_active)
    bpy.ops.curve.primitive_bezier_circle_add(radius=0.05)  # a wire
    assert "no faces" in refusal(bpy.ops.blemish.part_from_active)


def test_an_object_being_edited_is_not_taken() -> None:
    monkey()
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        assert "Edit Mode" in refusal(bpy.ops.blemish.part_from_active)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")


def test_the_part_may_be_deleted_at_any_time(scene: Any) -> None:
    bpy.ops.mesh.blemish_part_add(kind="plate")
    bpy.ops.blemish.look_through()
    bpy.data.objects.remove(scene.blemish.preview.object)
    assert not bpy.ops.blemish.preview_update.poll()
    assert "no inspected part" in refusal(bpy.ops.blemish.look_through)
    scene.blemish.seed += 1
    bpy.ops.mesh.blemish_part_add(kind="disc")
    assert scene.blemish.preview.object is not None
    assert problem() == ""


def test_so_may_the_object_it_was_made_from(scene: Any) -> None:
    mine = monkey()
    bpy.ops.blemish.part_from_active()
    bpy.data.objects.remove(mine)
    assert problem() == ""
    assert not bpy.ops.blemish.part_update.poll()


@pytest.mark.parametrize("what", ["materials", "images", "meshes", "node_groups", "collections", "cameras", "worlds"])
def test_so_may_anything_that_shows_it(what: str, scene: Any) -> None:
    bpy.ops.mesh.blemish_part_add(kind="plate")
    bpy.ops.blemish.look_through()
    for thing in list(getattr(bpy.data, what)):
        getattr(bpy.data, what).remove(thing)
    if what == "meshes":  # and the object with it
        assert not bpy.ops.blemish.preview_update.poll()
        bpy.ops.mesh.blemish_part_add(kind="plate")
    assert problem() == ""
    bpy.ops.blemish.look_through()
    scene.blemish.preview.stage = False
    assert problem() == ""


def test_a_material_without_its_nodes_is_made_anew(scene: Any) -> None:
    bpy.ops.mesh.blemish_part_add(kind="plate")
    material = scene.blemish.preview.object.data.materials[0]
    material.node_tree.nodes.clear()
    assert problem() == ""
    scene.blemish.preview.object.data.materials.clear()
    assert problem() == ""


def test_a_part_in_two_scenes(scene: Any) -> None:
    bpy.ops.mesh.blemish_part_add(kind="plate")
    bpy.ops.blemish.look_through()
    bpy.ops.scene.new(type="FULL_COPY")
    other = bpy.context.scene
    assert other != scene
    other.blemish.seed = 99
    assert problem() == ""
    bpy.data.scenes.remove(scene)
    assert problem() == ""
    bpy.ops.blemish.look_through()


def test_what_was_set_survives_saving_and_opening(tmp_path: Path) -> None:
    bpy.ops.blemish.recipe_shipped(name="plate")
    bpy.ops.mesh.blemish_part_add(kind="plate")
    bpy.context.scene.blemish.seed = 11
    count = len(bpy.context.scene.blemish.layers)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert bpy.context.scene.blemish.seed != 11
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "mine.blend"))
    assert bpy.context.scene.blemish.seed == 11
    assert len(bpy.context.scene.blemish.layers) == count > 0
    assert problem() == ""


@pytest.mark.parametrize("place", ["/proc/blemish", "/dev/null/blemish", "/dev/null", "file"])
def test_a_folder_that_cannot_be_written_is_told(place: str, tmp_path: Path, scene: Any) -> None:
    (tmp_path / "file").write_text("mine")
    folder = tmp_path / place if place == "file" else Path(place)
    bpy.ops.blemish.recipe_shipped(name="plate")
    settings = scene.blemish_dataset
    settings.folder, settings.frames, settings.samples = str(folder), 1, 1
    assert str(folder) in refusal(bpy.ops.blemish.render_dataset)
    assert str(folder) in refusal(bpy.ops.blemish.recipe_save, filepath=str(folder / "mine.yaml"))
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, scene: Any) -> None:
    (tmp_path / "holiday.jpg").write_text("mine")
    bpy.ops.blemish.recipe_shipped(name="plate")
    scene.blemish_dataset.folder, scene.blemish_dataset.frames = str(tmp_path), 1
    assert "other files" in refusal(bpy.ops.blemish.render_dataset)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize(
    "content", [b"", b"part: [", b"\xff\xfe\x00", b"part: {kind: sphere}", b"- 1", b"!!python/none"]
)
def test_recipes_that_are_none_are_told_and_change_nothing(content: bytes, tmp_path: Path, scene: Any) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_bytes(content)
    bpy.ops.blemish.recipe_shipped(name="plate")
    count = len(scene.blemish.layers)
    assert "wrong.yaml" in refusal(bpy.ops.blemish.recipe_load, filepath=str(path))
    assert "nowhere.yaml" in refusal(bpy.ops.blemish.recipe_load, filepath=str(tmp_path / "nowhere.yaml"))
    refusal(bpy.ops.blemish.recipe_load, filepath=str(tmp_path))
    assert len(scene.blemish.layers) == count


def test_the_part_is_deleted_while_it_is_being_rendered(tmp_path: Path, scene: Any) -> None:
    from blender_addon.ui import progress
    from blender_addon.ui.dataset.data import request_of
    from blender_addon.ui.dataset.render_run import RenderRun
    from scenes import Dataset

    bpy.ops.blemish.recipe_shipped(name="plate")
    bpy.ops.mesh.blemish_part_add(kind="plate")
    scene.blemish_dataset.samples = 1
    # What the operator does where there is a window; without one Blender has it wait for the end.
    progress.begin(progress.RENDER, RenderRun("mine", request_of(bpy.context, tmp_path / "set", frames=2)))
    assert not bpy.ops.blemish.render_dataset.poll()
    bpy.data.objects.remove(scene.blemish.preview.object)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    state = progress.finish(progress.RENDER)
    assert state.phase == "done", state.message
    assert len(Dataset(tmp_path / "set")) == 2
