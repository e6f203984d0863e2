"""The preview shows what a render of that frame would show."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from procgen.surface.layer import SurfaceMaps
from scenes import build_part, draw, load_recipe, surface_maps

bpy = pytest.importorskip("bpy")
from blender_addon.ui import changes  # noqa: E402
from blender_addon.ui.preview import overlay, stage, viewport  # noqa: E402 - needs bpy
from blender_addon.ui.recipe import exchange  # noqa: E402

pytestmark = pytest.mark.render


def shown(node: str, scene: Any) -> np.ndarray:
    """(rows, columns, 4) of an image in the shown object's material."""
    image = scene.blemish.preview.object.data.materials[0].node_tree.nodes[node].image
    pixels = np.empty(4 * image.size[0] * image.size[1], dtype=np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(image.size[1], image.size[0], 4)


def expected(scene: Any) -> SurfaceMaps:
    """The maps of the panel's recipe on the preview's texels, made without the panel."""
    settings = scene.blemish
    drawn = draw(exchange.to_recipe(settings), settings.seed, settings.frame)
    texel = viewport.texel_size(build_part(drawn.part), int(settings.preview.size))
    return surface_maps(drawn.model_copy(update={"texel_size": texel}))


@pytest.fixture
def plate(scene: Any) -> Any:
    """The plate with stains in every frame, in the scene."""
    exchange.from_recipe(load_recipe("plate"), scene.blemish)
    stains(scene.blemish).probability = 1
    assert bpy.ops.mesh.blemish_part_add(kind="plate") == {"FINISHED"}
    return scene


def stains(settings: Any) -> Any:
    return next(layer.water_stains for layer in settings.layers if layer.kind == "water_stains")


@pytest.mark.parametrize("name", ["plate", "turned_shaft"])
def test_it_shows_the_maps_of_the_recipe(name: str, scene: Any) -> None:
    exchange.from_recipe(load_recipe(name), scene.blemish)
    scene.blemish.seed, scene.blemish.frame = 5, 2
    bpy.ops.mesh.blemish_part_add(kind=scene.blemish.part.kind)
    maps = expected(scene)
    assert np.array_equal(shown("albedo", scene)[..., :3], maps.base_colour)
    assert np.array_equal(shown("relief", scene)[..., :3], np.float32(maps.normal * 0.5 + 0.5))


def test_a_slider_changes_the_picture_and_the_layer_alone(plate: Any) -> None:
    before = shown("albedo", plate)
    remembered = dict(viewport._cache.results) if viewport._cache else {}
    stains(plate.blemish).alpha_form, stains(plate.blemish).alpha = "FIXED", -0.9
    assert bpy.ops.blemish.preview_update() == {"FINISHED"}
    after = shown("albedo", plate)
    assert np.array_equal(after[..., :3], expected(plate).base_colour)
    changed = (after != before).any(axis=-1)
    inside = expected(plate).impurities > 0
    assert changed.any()
    assert not changed[~inside].any()
    assert viewport._cache is not None
    assert len([key for key in viewport._cache.results if key not in remembered]) == 1


def test_the_overlay_is_where_the_masks_are(plate: Any) -> None:
    plate.blemish.preview.overlay = True
    bpy.ops.blemish.preview_update()
    maps = expected(plate)
    pixels = shown(overlay.IMAGE, plate)
    assert np.array_equal(pixels[..., 3] > 0, maps.classes > 0)
    bit = exchange.to_recipe(plate.blemish).class_bits["water_stain"]
    alone = maps.classes == 1 << bit
    np.testing.assert_allclose(pixels[alone][:, :3], np.broadcast_to(overlay.CLASS_COLOURS[bit], (alone.sum(), 3)))


def test_the_overlay_stays_out_of_renders_when_it_is_off(plate: Any) -> None:
    tree = plate.blemish.preview.object.data.materials[0].node_tree
    for on, source in ((True, overlay.MIX), (False, "Principled BSDF")):
        plate.blemish.preview.overlay = on
        bpy.ops.blemish.preview_update()
        assert tree.nodes["Material Output"].inputs["Surface"].links[0].from_node.name == source


def test_another_part_takes_the_place_of_the_first(plate: Any) -> None:
    first = plate.blemish.preview.object
    meshes = len(bpy.data.meshes)
    bpy.ops.mesh.blemish_part_add(kind="disc")
    assert plate.blemish.preview.object == first
    assert len(bpy.data.meshes) == meshes
    assert len(plate.objects) == 1


def test_settings_that_contradict_each_other_are_told_and_nothing_changes(plate: Any) -> None:
    before = shown("albedo", plate)
    stains(plate.blemish).radius_mm_form, stains(plate.blemish).radius_mm = "FIXED", 500
    with pytest.raises(RuntimeError, match="cut off"):
        bpy.ops.blemish.preview_update()
    assert "cut off" in viewport.report_of(plate).problem
    assert np.array_equal(shown("albedo", plate), before)


def test_nothing_to_preview_is_told(scene: Any) -> None:
    assert not bpy.ops.blemish.preview_update.poll()
    with pytest.raises(RuntimeError, match="Add ▸ Mesh ▸ Inspected Part"):
        bpy.ops.blemish.preview_update()


def test_settings_outlive_the_file_and_images_are_drawn_anew(plate: Any, tmp_path: Path) -> None:
    stains(plate.blemish).alpha_form, stains(plate.blemish).alpha = "FIXED", -0.4321
    plate.blemish.layers[1].muted = True
    bpy.ops.blemish.preview_update()
    recipe, before = exchange.to_recipe(plate.blemish), shown("albedo", plate)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "mine.blend"))
    opened = bpy.context.scene
    assert exchange.to_recipe(opened.blemish) == recipe
    assert shown("albedo", opened).size == 0
    assert bpy.ops.blemish.preview_update() == {"FINISHED"}
    assert len([thing for thing in opened.objects if thing.type == "MESH"]) == 1
    assert np.array_equal(shown("albedo", opened), before)


def test_the_camera_of_the_frame_is_that_of_the_recipe(plate: Any) -> None:
    bpy.ops.blemish.look_through()
    drawn = viewport.sample_scene(plate.blemish)
    assert plate.camera.name == stage.CAMERA_NAME
    np.testing.assert_allclose(plate.camera.matrix_world.translation, drawn.camera.position, rtol=1e-6)
    assert plate.camera.data.lens == pytest.approx(drawn.camera.focal_length * 1e3)
    lights = [thing for thing in plate.objects if thing.type == "LIGHT"]
    places = [tuple(light.matrix_world.translation) for light in lights]
    np.testing.assert_allclose(places, [panel.position for panel in drawn.light.panels], rtol=1e-5, atol=1e-7)


def test_framing_brings_the_whole_part_into_the_picture(plate: Any) -> None:
    plate.blemish.part.plate.height_mm = 300
    bpy.ops.blemish.frame_part()
    drawn = viewport.sample_scene(plate.blemish)
    field_width = drawn.camera.sensor_width * drawn.camera.focus_distance / drawn.camera.focal_length
    field_height = field_width * drawn.camera.height / drawn.camera.width
    assert field_height >= 0.3
    assert field_width >= drawn.part.width
    assert field_height == pytest.approx(0.3, rel=0.1)


def test_changes_are_told_once_listened_to(settings: Any) -> None:
    told: list[int] = []

    def listener() -> None:
        told.append(1)

    changes.on_change(listener)
    try:
        settings.part.plate.width_mm = 33
        assert len(told) == 1
        with changes.quiet():
            settings.part.plate.width_mm = 34
        assert len(told) == 1
    finally:
        changes.off_change(listener)


def test_an_own_mesh_is_inspected_in_its_place(scene: Any, user_folder: Path) -> None:
    bpy.ops.mesh.primitive_monkey_add(size=0.06, location=(0.3, -0.2, 0.1), rotation=(0.4, 0.3, 1.0))
    mine = bpy.context.active_object
    bpy.ops.blemish.layer_add(kind="water_stains")
    assert bpy.ops.blemish.part_from_active() == {"FINISHED"}
    part = scene.blemish.preview.object
    bpy.context.view_layer.update()
    corners = [np.array([thing.matrix_world @ vertex.co for vertex in thing.data.vertices]) for thing in (mine, part)]
    for end in (np.min, np.max):
        np.testing.assert_allclose(end(corners[1], axis=0), end(corners[0], axis=0), atol=1e-6)
    assert scene.blemish.preview.source == mine
    assert mine.hide_get()
    assert mine.hide_render
    assert list(user_folder.iterdir()) == []
