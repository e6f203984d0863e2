"""The user's file stays as it was, but for what the user did: while Blemish is used, undone, saved, and taken away."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from blender_addon.ui.preview import leaving, ownership, viewport  # noqa: E402 - needs bpy
from blender_addon.ui.recipe import exchange  # noqa: E402
from tests.blender_addon.whole_file import differences, everything  # noqa: E402

pytestmark = pytest.mark.render

OURS = ("blemish", "blemish_dataset", "blemish_learn")
CUBE = 0.2  # metres of its edges
MB = 1 << 20


@pytest.fixture
def scene(scene: Any) -> Any:
    """Two scenes with camera, world and a cube each, and things of the user's that are called as ours are."""
    for blender_scene, size in ((scene, 640), (bpy.data.scenes.new("second"), 800)):
        furnish(blender_scene, size)
    mine = bpy.data.collections.new("Inspection Stage")
    scene.collection.children.link(mine)
    mine.objects.link(bpy.data.objects.new("Inspection Camera", bpy.data.cameras.new("Inspection Camera")))
    for name in ("Inspected Part", "part"):
        mine.objects.link(bpy.data.objects.new(name, bpy.data.meshes.new(name)))
    for name in ("Inspected Surface", "inspected surface", "body"):
        bpy.data.materials.new(name).use_fake_user = True
    bpy.data.worlds.new("Inspection Room").use_fake_user = True
    bpy.context.view_layer.update()
    make_previews_small()
    return scene


def make_previews_small() -> None:
    for blender_scene in bpy.data.scenes:
        blender_scene.blemish.preview.size = "256"


def take_away_all() -> None:
    for blender_scene in bpy.data.scenes:
        with bpy.context.temp_override(scene=blender_scene):
            if bpy.ops.blemish.take_away.poll():
                bpy.ops.blemish.take_away(settings=True)
            for name in OURS:  # the preview's size that the fixture has set
                blender_scene.property_unset(name)


def furnish(blender_scene: Any, size: int) -> None:
    camera = bpy.data.objects.new("eye", bpy.data.cameras.new("eye"))
    cube = cube_in(blender_scene)
    cube.data.materials.append(bpy.data.materials.new("steel"))
    blender_scene.collection.objects.link(camera)
    blender_scene.camera, blender_scene.world = camera, bpy.data.worlds.new("studio")
    blender_scene.render.resolution_x, blender_scene.render.resolution_y = size, size // 2
    blender_scene.render.resolution_percentage = 50


def cube_in(blender_scene: Any, name: str = "cube", at: float = 0.0) -> Any:
    corners = [(x, y, z) for x in (at, at + CUBE) for y in (0, CUBE) for z in (0, CUBE)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], faces)
    cube = bpy.data.objects.new(name, mesh)
    blender_scene.collection.objects.link(cube)
    return cube


def choose(thing: Any, *others: Any) -> None:
    for other in bpy.context.view_layer.objects:
        other.select_set(other in (thing, *others))
    bpy.context.view_layer.objects.active = thing


def add_plate() -> None:
    bpy.ops.mesh.blemish_part_add(kind="plate")


def look_through() -> None:
    add_plate()
    bpy.ops.blemish.look_through()


def inspect_cube() -> None:
    choose(bpy.context.scene.objects["cube"])
    bpy.ops.blemish.part_from_active()


def inspect_cube_through_camera() -> None:
    inspect_cube()
    bpy.ops.blemish.look_through()


def change_everything() -> None:
    bpy.ops.blemish.recipe_shipped(name="plate")
    inspect_cube_through_camera()
    settings = bpy.context.scene.blemish
    settings.preview.overlay = True
    bpy.ops.mesh.blemish_part_add(kind="disc")
    settings.part.kind = "mesh"
    assert viewport.update(bpy.context.scene).problem == ""
    settings.preview.stage = False
    assert viewport.update(bpy.context.scene).problem == ""
    settings.preview.stage = True
    settings.camera.resolution_x = 200
    assert viewport.update(bpy.context.scene).problem == ""


def both_scenes() -> None:
    look_through()
    first = bpy.context.window.scene
    bpy.context.window.scene = bpy.data.scenes["second"]
    bpy.context.view_layer.update()
    choose(next(thing for thing in bpy.context.scene.objects if thing.type == "MESH"))
    bpy.ops.blemish.part_from_active()
    bpy.ops.blemish.look_through()
    bpy.context.window.scene = first


WAYS = [add_plate, look_through, inspect_cube, inspect_cube_through_camera, change_everything, both_scenes]


@pytest.mark.parametrize("use", WAYS)
def test_nothing_differs_once_it_is_taken_away(use: Callable[[], None], scene: Any) -> None:
    take_away_all()
    before = everything()
    make_previews_small()
    use()
    assert len(differences(before, everything())) > 5
    take_away_all()
    assert differences(before, everything()) == []


@pytest.mark.parametrize("use", WAYS[:-1])
def test_nothing_but_settings_differs_once_the_part_is_deleted(use: Callable[[], None], scene: Any) -> None:
    before = everything()
    use()
    choose(scene.blemish.preview.object)
    bpy.ops.object.delete()
    leaving.settle()  # what the window's timer does
    left = differences(before, everything())
    assert [line for line in left if not any(f".{name}." in line for name in OURS)] == []


def test_all_that_is_added_is_marked_and_nothing_else(scene: Any) -> None:
    before = {path for path, value in everything().items() if value == "is there"}
    change_everything()
    marked = set()
    for collection in ("objects", "meshes", "materials", "images", "collections", "cameras", "lights", "worlds"):
        for block in getattr(bpy.data, collection):
            if ownership.is_own(block):
                marked.add(f"{collection}[{block.name!r}]")
    assert marked == {path for path, value in everything().items() if value == "is there"} - before


def test_what_the_user_did_meanwhile_stays(scene: Any) -> None:
    look_through()
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    scene.blemish.preview.collection.objects.link(other)
    scene.camera, scene.render.resolution_percentage = other, 25
    scene.blemish.camera.resolution_x = 333
    viewport.update(scene)
    assert (scene.camera, scene.render.resolution_x, scene.render.resolution_percentage) == (other, 333, 25)
    bpy.ops.blemish.take_away()
    assert other.name in scene.collection.objects
    assert (scene.camera, scene.render.resolution_x, scene.render.resolution_percentage) == (other, 640, 25)


def test_looking_through_the_camera_again_takes_the_scene_over_again(scene: Any) -> None:
    look_through()
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    scene.collection.objects.link(other)
    scene.camera, scene.render.resolution_x = other, 99
    bpy.ops.blemish.look_through()
    assert ownership.is_own(scene.camera)
    assert scene.render.resolution_x == scene.blemish.camera.resolution_x
    bpy.ops.blemish.take_away()
    assert (scene.camera, scene.render.resolution_x) == (other, 99)


def test_each_scene_has_a_camera_and_a_world_of_its_own(scene: Any) -> None:
    both_scenes()
    second = bpy.data.scenes["second"]
    assert scene.camera != second.camera
    assert scene.world != second.world
    scene.blemish.preview.stage = False
    viewport.update(scene)
    assert (scene.camera.name, scene.world.name) == ("eye", "studio")
    assert ownership.is_own(second.camera)
    assert ownership.is_own(second.world)
    second.blemish.preview.stage = False
    viewport.update(second)
    assert (second.camera.name, second.world.name) == ("eye.001", "studio.001")


@pytest.mark.parametrize("sort", ["FULL_COPY", "LINK_COPY"])
def test_a_copy_of_a_scene_is_left_as_the_scene_is(sort: str, scene: Any) -> None:
    inspect_cube_through_camera()
    bpy.ops.scene.new(type=sort)
    copy = bpy.context.scene
    assert copy != scene
    copy.blemish.seed = 99
    assert viewport.update(copy).problem == ""
    for blender_scene in (scene, copy):
        with bpy.context.temp_override(scene=blender_scene):
            bpy.ops.blemish.take_away(settings=True)
    for blender_scene in (scene, copy):
        assert blender_scene.camera.name.startswith("eye")
        assert blender_scene.world.name.startswith("studio")
        assert not any(ownership.is_own(thing) for thing in blender_scene.objects)
        cubes = [thing for thing in blender_scene.objects if thing.name.startswith("cube")]
        assert [thing.hide_render for thing in cubes] == [False]
    assert not [image for image in bpy.data.images if ownership.is_own(image)]


def test_full_copies_show_what_is_set_in_each(scene: Any) -> None:
    bpy.ops.blemish.recipe_shipped(name="plate")
    add_plate()
    bpy.ops.scene.new(type="FULL_COPY")
    copy = bpy.context.scene
    before = albedo(scene)
    copy.blemish.finish.ground.base_colour = (0.9, 0.1, 0.1)
    viewport.update(copy)
    assert copy.blemish.preview.object != scene.blemish.preview.object
    assert not np.array_equal(albedo(copy), before)
    assert np.array_equal(albedo(scene), before)


def albedo(blender_scene: Any) -> np.ndarray:
    part = blender_scene.blemish.preview.object
    image = part.material_slots[0].material.node_tree.nodes["albedo"].image
    pixels = np.empty(4 * image.size[0] * image.size[1], dtype=np.float32)
    image.pixels.foreach_get(pixels)
    return pixels


def test_the_original_is_hidden_from_renders_and_given_back(scene: Any) -> None:
    cube, other = scene.objects["cube"], cube_in(scene, "other", 1.0)
    inspect_cube()
    assert cube.hide_render
    assert cube.hide_get()
    other.hide_render = True
    choose(other)
    bpy.ops.blemish.part_from_active()
    assert not cube.hide_render
    assert not cube.hide_get()
    assert other.hide_get()
    bpy.ops.blemish.take_away()
    assert other.hide_render  # as the user had it
    assert not other.hide_get()


def test_the_original_stays_as_it_is_where_that_is_wished(scene: Any) -> None:
    choose(scene.objects["cube"])
    bpy.ops.blemish.part_from_active(hide=False)
    assert not scene.objects["cube"].hide_render
    bpy.ops.blemish.part_update()
    assert not scene.objects["cube"].hide_render
    assert not scene.objects["cube"].hide_get()


def test_an_update_shows_what_was_done_to_the_hidden_original(scene: Any) -> None:
    cube = scene.objects["cube"]
    inspect_cube()
    twice = cube.modifiers.new("twice", "ARRAY")
    twice.count, twice.relative_offset_displace = 2, (2, 0, 0)
    bpy.ops.blemish.part_update()
    bpy.context.view_layer.update()
    assert max(scene.blemish.preview.object.dimensions) == pytest.approx(3 * CUBE, rel=1e-5)
    assert cube.hide_get()


def test_a_material_put_on_the_part_stays(scene: Any) -> None:
    add_plate()
    part, mine = scene.blemish.preview.object, bpy.data.materials.new("mine")
    part.data.materials[0] = mine
    before = everything()
    report = viewport.update(scene)
    assert "mine" in report.note
    assert differences(before, everything()) == []
    scene.blemish.part.kind = "disc"  # which is another mesh
    viewport.update(scene)
    assert part.data.materials[0] == mine
    part.data.materials[0] = None
    assert viewport.update(scene).note == ""
    assert ownership.is_own(part.data.materials[0])
    assert mine.name in bpy.data.materials


def test_an_image_put_into_the_material_stays(scene: Any) -> None:
    add_plate()
    mine = bpy.data.images.new("mine", 8, 8)
    nodes = scene.blemish.preview.object.data.materials[0].node_tree.nodes
    nodes["albedo"].image = mine
    before = list(mine.pixels)
    viewport.update(scene)
    assert list(bpy.data.images["mine"].pixels) == before
    assert nodes["albedo"].image != mine


def test_what_can_be_drawn_anew_is_not_in_the_file(scene: Any, tmp_path: Path) -> None:
    scene.blemish.preview.size = "1024"
    for number in range(12):
        choose(cube_in(scene, f"cube {number}", number))
        bpy.ops.blemish.part_from_active()
    assert albedo(scene).nbytes > MB
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    assert not any(image.is_dirty for image in bpy.data.images)  # else Blender asks about them as it is closed
    assert albedo(scene).any()
    assert (tmp_path / "mine.blend").stat().st_size < 2 * MB


def test_a_saved_part_is_drawn_before_it_is_rendered(scene: Any, tmp_path: Path) -> None:
    look_through()
    scene.blemish.finish.ground.base_colour = (0.9, 0.05, 0.05)
    viewport.update(scene)
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "mine.blend"))
    opened = bpy.context.scene
    opened.render.filepath, opened.render.resolution_percentage = str(tmp_path / "frame.png"), 10
    opened.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(write_still=True)
    from PIL import Image

    red, green, blue = np.asarray(Image.open(tmp_path / "frame.png").convert("RGB")).mean(axis=(0, 1))
    assert red > 1.2 * max(green, blue) > 0


def test_the_mesh_that_was_taken_is_no_file_of_the_users(scene: Any, user_folder: Path, tmp_path: Path) -> None:
    inspect_cube()
    path = Path(scene.blemish.part.mesh.path)
    assert Path(bpy.app.tempdir) in path.parents  # which Blender removes as it ends
    assert list(user_folder.iterdir()) == []


@pytest.mark.parametrize("is_there", [True, False], ids=["from the object", "from the part"])
def test_the_mesh_that_was_taken_comes_back(is_there: bool, scene: Any, tmp_path: Path) -> None:
    inspect_cube()
    path = Path(scene.blemish.part.mesh.path)
    drawn = viewport.sample_scene(scene.blemish)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    shutil.rmtree(path.parent)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "mine.blend"))
    opened = bpy.context.scene
    opened.blemish.preview.size = "256"
    if not is_there:
        bpy.data.objects.remove(opened.objects["cube"])
    assert viewport.update(opened).problem == ""
    again = viewport.sample_scene(opened.blemish)
    assert Path(opened.blemish.part.mesh.path).is_file()
    assert (again.part.digest == drawn.part.digest) == is_there
    assert again.part.framed_width == pytest.approx(drawn.part.framed_width, rel=1e-6)
    assert again.part.framed_height == pytest.approx(drawn.part.framed_height, rel=1e-6)
    shutil.rmtree(Path(opened.blemish.part.mesh.path).parent)
    exchange.to_recipe(opened.blemish)
    from blender_addon.ui.dataset.data import recipe_of

    assert Path(recipe_of(bpy.context).part.path).is_file()


def test_a_part_is_not_put_where_nothing_of_it_is_seen(scene: Any) -> None:
    inside = scene.objects["cube"]
    inside.location = (-CUBE / 2, -CUBE / 2, -CUBE / 2)
    bpy.context.view_layer.update()
    add_plate()
    part = scene.blemish.preview.object
    bpy.context.view_layer.update()
    lowest = min((part.matrix_world @ vertex.co).z for vertex in part.data.vertices)
    assert lowest == pytest.approx(CUBE / 2, abs=1e-6)
    bpy.ops.blemish.take_away()
    scene.cursor.location = (3, 2, 1)
    add_plate()
    np.testing.assert_allclose(scene.blemish.preview.object.location, (3, 2, 1))


def test_an_own_mesh_and_a_made_part_keep_a_place_each(scene: Any) -> None:
    cube = scene.objects["cube"]
    cube.location = (1, 2, 3)
    bpy.context.view_layer.update()
    inspect_cube()
    part = scene.blemish.preview.object
    place = part.matrix_basis.copy()
    bpy.ops.mesh.blemish_part_add(kind="plate")
    np.testing.assert_allclose(part.location, scene.cursor.location)
    part.location, part.rotation_euler = (5, 5, 5), (0.3, 0.2, 0.1)
    made = part.matrix_basis.copy()
    scene.blemish.part.kind = "mesh"
    viewport.update(scene)
    np.testing.assert_allclose(part.matrix_basis, place, atol=1e-6)
    scene.blemish.part.kind = "disc"
    viewport.update(scene)
    np.testing.assert_allclose(part.matrix_basis, made, atol=1e-6)
    inspect_cube()
    np.testing.assert_allclose(part.matrix_basis, place, atol=1e-6)


def test_a_made_part_has_its_own_size_in_any_unit(scene: Any) -> None:
    scene.unit_settings.scale_length = 0.001
    scene.cursor.location = (500, 0, 0)
    add_plate()
    part = scene.blemish.preview.object
    bpy.context.view_layer.update()
    assert part.dimensions.x == pytest.approx(scene.blemish.part.plate.width_mm, rel=1e-5)


def test_other_selected_objects_are_named(scene: Any, capfd: pytest.CaptureFixture[str]) -> None:
    cube, other = scene.objects["cube"], cube_in(scene, "the other", 1.0)
    choose(cube, other)
    bpy.ops.blemish.part_from_active()
    assert "without the other" in capfd.readouterr().out
    choose(cube, scene.blemish.preview.object)
    bpy.ops.blemish.part_from_active()
    assert "without" not in capfd.readouterr().out


def test_every_step_is_undone_and_done_again(scene: Any) -> None:
    steps: list[Callable[[], object]] = [
        lambda: bpy.ops.mesh.blemish_part_add(kind="plate"),
        lambda: bpy.ops.blemish.look_through(),
        lambda: (choose(scene_now().objects["cube"]), bpy.ops.blemish.part_from_active()),
        lambda: bpy.ops.blemish.layer_add(kind="scratch"),
        lambda: (choose(scene_now().blemish.preview.object), bpy.ops.object.delete(), leaving.settle()),
        lambda: bpy.ops.mesh.blemish_part_add(kind="disc"),
        lambda: bpy.ops.blemish.take_away(),
        lambda: inspect_cube_through_camera(),
        lambda: bpy.ops.blemish.take_away(settings=True),
    ]
    bpy.ops.ed.undo_push(message="begin")
    states = [state()]
    for step in steps:
        step()
        bpy.ops.ed.undo_push(message="step")
        states.append(state())
    for turn in range(2):
        for expected in reversed(states[:-1]):
            bpy.ops.ed.undo()
            assert differences(expected, state()) == [], turn
        for expected in states[1:]:
            bpy.ops.ed.redo()
            assert differences(expected, state()) == [], turn


def test_a_deletion_is_undone_and_done_again(scene: Any) -> None:
    inspect_cube_through_camera()
    bpy.ops.ed.undo_push(message="inspected")
    inspected = state()
    choose(scene.blemish.preview.object)
    bpy.ops.object.delete()
    bpy.ops.ed.undo_push(message="deleted")
    leaving.settle()  # after the step, as the window's timer does
    left = state()
    for _ in range(2):
        bpy.ops.ed.undo()
        assert differences(inspected, state()) == []
        bpy.ops.ed.redo()
        assert differences(left, state()) == []


def scene_now() -> Any:
    return bpy.context.scene


def state() -> dict[str, Any]:
    """The file, with its previews drawn, but for what an image keeps of how it came about."""
    viewport.update_all()
    return {path: value for path, value in everything().items() if not path.startswith("images[")}
