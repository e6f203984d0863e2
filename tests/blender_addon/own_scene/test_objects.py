"""Objects of every kind are inspected where they are: instances, mirrored ones, curves, any shader, any unit."""

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import RenderError
from blender_addon.own_scene.mixing import OverlayImages, mixed
from procgen.surface.layer import SurfaceOverlay
from tests.blender_addon.own_scene.files import add_camera, begin, fields, material, saved
from tests.blender_addon.own_scene.test_frames import frame_of, plainly_rendered, stage_of

pytestmark = pytest.mark.render

CENTIMETRES = 100


def grouped(inner: bpy.types.Material) -> bpy.types.Material:
    """A material whose shader stands in a group of nodes."""
    made = inner.copy()
    tree = made.node_tree
    group = bpy.data.node_groups.new("paint", "ShaderNodeTree")
    if hasattr(group, "interface"):
        group.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
    else:
        group.outputs.new("NodeSocketShader", "Shader")
    shader, out = group.nodes.new("ShaderNodeBsdfPrincipled"), group.nodes.new("NodeGroupOutput")
    shader.inputs["Base Color"].default_value = (0.7, 0.2, 0.1, 1)
    group.links.new(shader.outputs[0], out.inputs[0])
    node = tree.nodes.new("ShaderNodeGroup")
    node.node_tree = group
    tree.links.new(node.outputs[0], tree.get_output_node("CYCLES").inputs["Surface"])
    return made


def with_shader(name: str, kind: str) -> bpy.types.Material:
    made = material(name, (0.5, 0.5, 0.5), 0.0, 1)
    shader = made.node_tree.nodes.new(kind)
    made.node_tree.links.new(shader.outputs[0], made.node_tree.get_output_node("CYCLES").inputs["Surface"])
    return made


def add(name: str, made: bpy.types.Material | None) -> bpy.types.Object:
    thing = bpy.context.object
    thing.name = name
    if made is not None:
        thing.data.materials.append(made)
    return thing


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In centimetres: what other files rarely have, all of it in sight."""
    scene = begin()
    for thing in scene.objects:
        thing.scale, thing.location = [CENTIMETRES * x for x in thing.scale], CENTIMETRES * thing.location
    bpy.data.objects["Area"].data.energy *= CENTIMETRES**2
    scene.unit_settings.scale_length = 1 / CENTIMETRES
    paint = material("paint", (0.1, 0.3, 0.6), 0.0, 3)
    bpy.ops.mesh.primitive_monkey_add(location=(-6, 4, 2.5), rotation=(-0.5, 0, 0.3))
    add("Mirrored", grouped(paint)).scale = (-2.2, 2.2, 2.2)
    bpy.ops.object.shade_smooth()
    bpy.ops.mesh.primitive_cylinder_add(radius=2, depth=4, vertices=9, location=(0, 4, 2))
    add("Prism", with_shader("matt", "ShaderNodeBsdfDiffuse")).rotation_euler = (0.4, 0.2, 0)
    bpy.ops.object.text_add(location=(3, 2, 0.2), rotation=(0.8, 0, 0))
    glossy = "ShaderNodeBsdfGlossy" if bpy.app.version < (4, 0) else "ShaderNodeBsdfAnisotropic"
    text = add("Text", with_shader("gloss", glossy))
    text.data.body, text.data.extrude, text.scale = "No 7", 0.3, (3, 3, 3)
    bpy.ops.mesh.primitive_torus_add(major_radius=1.6, minor_radius=0.6, major_segments=24, minor_segments=8)
    nut = add("Nut", paint)
    nuts = bpy.data.collections.new("Nuts")
    nuts.objects.link(nut)
    scene.collection.objects.unlink(nut)
    for name, location, scale in (("Left", (-6, -4, 1), (1, 1, 1)), ("Right", (0, -4, 1), (1.2, 0.8, 1))):
        shower = bpy.data.objects.new(name, None)
        shower.instance_type, shower.instance_collection = "COLLECTION", nuts
        shower.location, shower.scale, shower.rotation_euler = location, scale, (0.3, 0, 1)
        scene.collection.objects.link(shower)
    bpy.ops.mesh.primitive_cube_add(size=3, location=(6, -4, 1.5), rotation=(0, 0, 0.5))
    add("Bare", None)
    scene.camera = add_camera("Front", (0, -25, 24), 45, 50)
    return saved(tmp_path_factory.mktemp("own") / "odd.blend")


NAMES = ["Left/Nut", "Mirrored", "Prism", "Right/Nut", "Text"]


def test_pictures_of_objects_of_every_kind_are_blenders_own(odd: Path, tmp_path: Path) -> None:
    recipe: dict[str, Any] = {**fields(inspect=NAMES), "defects": []}
    stage = stage_of(odd, recipe)
    assert [one.name for one in stage.objects] == NAMES
    ours = frame_of(stage, 0)[0]["images"].astype(int)
    differing = np.abs(ours - plainly_rendered(odd, tmp_path / "theirs.png")).max(axis=2)
    assert (differing > 4).mean() < 0.01


def test_every_object_gets_layers_of_its_own(odd: Path) -> None:
    recipe = fields(inspect=["Left", "Right/*", "Mirrored", "Prism", "Text", "Bare"])
    stage = stage_of(odd, recipe, passes={"objects": "png"})
    pictures, scene = frame_of(stage, 0)
    assert scene.own is not None
    assert [thing.name for thing in scene.own.objects] == sorted([*NAMES, "Bare"])
    assert [thing.finish is not None for thing in scene.own.objects] == [True, False, False, False, False, False]
    assert set(np.unique(pictures["objects"])) == set(range(7))
    one, other = scene.own.objects[1], scene.own.objects[4]
    assert scene.layers[: one.layers] != scene.layers[-other.layers :]
    for number in range(1, 7):
        here = pictures["objects"] == number
        assert np.count_nonzero(pictures["defects"][here]) > 0, scene.own.objects[number - 1].name
    # Instances of one object are never those of another.
    marked = pictures["defects"] > 0
    pairs = np.unique(np.stack([pictures["defects"][marked], pictures["objects"][marked]]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1]


def test_the_shader_that_layers_change_stands_beside_its_own(odd: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(odd), load_ui=False)
    paint = bpy.data.materials["paint"]
    own = next(node for node in paint.node_tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    own.distribution, own.inputs["IOR"].default_value = "GGX", 1.77
    images = OverlayImages()
    made = mixed(paint, images, 1)
    assert made is not None
    (seen,) = (node for node in made.node_tree.nodes if node.bl_idname == "ShaderNodeMixShader")
    first, second = (socket.links[0].from_node for socket in seen.inputs[1:])
    assert (first.distribution, second.distribution) == ("GGX", "GGX")
    assert first.inputs["IOR"].default_value == second.inputs["IOR"].default_value == own.inputs["IOR"].default_value
    assert not first.inputs["Roughness"].is_linked
    assert second.inputs["Roughness"].is_linked

    rows = np.zeros((1, 20))
    lying = np.eye(1, 20, 9)
    images.show(SurfaceOverlay(1 - rows, lying, np.zeros((1, 20, 3)), rows, rows, *[rows.astype(np.uint16)] * 3, ()), 1)
    where = np.array(images.where.image.pixels).reshape(1, 20, 4)[..., 3]
    assert where.tolist() == [[float(5 <= column <= 13) for column in range(20)]]


def test_a_material_without_a_colour_is_told(odd: Path, tmp_path: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(odd), load_ui=False)
    bpy.data.objects["Bare"].data.materials.append(with_shader("fog", "ShaderNodeHoldout"))
    tree = bpy.data.objects["Bare"].data.materials[0].node_tree
    tree.nodes.remove(next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"))
    copy = saved(tmp_path / "fog.blend")
    with pytest.raises(RenderError, match="object Bare: found the material fog without a shader that has a colour"):
        stage_of(copy, fields(inspect=["Bare"]))


def test_objects_of_a_linked_library_are_inspected(odd: Path, tmp_path: Path) -> None:
    scene = begin()
    scene.unit_settings.scale_length = 1 / CENTIMETRES
    with bpy.data.libraries.load(str(odd), link=True, relative=False) as (_, ours):
        ours.collections = ["Nuts"]
    shower = bpy.data.objects.new("Shower", None)
    shower.instance_type, shower.instance_collection = "COLLECTION", ours.collections[0]
    scene.collection.objects.link(shower)
    scene.camera = add_camera("Front", (0, -12, 12), 45, 50)
    linked = saved(tmp_path / "linked.blend")
    pictures, record = frame_of(stage_of(linked, fields(inspect=["Nut"])), 0)
    assert record.own is not None
    assert [thing.name for thing in record.own.objects] == ["Shower/Nut"]
    assert pictures["defects"].any()


def test_compositors_write_no_files_of_the_users(odd: Path, tmp_path: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(odd), load_ui=False)
    scene = bpy.context.scene
    if hasattr(scene, "compositing_node_group"):
        scene.compositing_node_group = tree = bpy.data.node_groups.new("compositing", "CompositorNodeTree")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
    layers, written = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeOutputFile")
    for holder, field in ((written, "base_path"), (written, "directory")):
        if hasattr(holder, field):
            setattr(holder, field, str(tmp_path / "written"))
    if not written.inputs:
        written.file_output_items.new("RGBA", "image")
    tree.links.new(layers.outputs["Image"], written.inputs[0])
    copy = saved(tmp_path / "composited.blend")
    stage_of(copy, fields(inspect=["Bare"])).frame(0)
    assert not (tmp_path / "written").exists()

    bpy.ops.wm.open_mainfile(filepath=str(copy), load_ui=False)
    scene = bpy.context.scene
    tree = scene.compositing_node_group if hasattr(scene, "compositing_node_group") else scene.node_tree
    tree.nodes.new("CompositorNodeLensdist")
    with pytest.raises(RenderError, match="found the node Lens Distortion in its compositing, which moves"):
        stage_of(saved(copy), fields(inspect=["Bare"]))


@pytest.mark.parametrize("surface", ["own", "finish"])
def test_a_body_whose_faces_are_turned_inside_shows_its_layers_outside(odd: Path, tmp_path: Path, surface: str) -> None:
    finish = {"kind": "cast", "ra_um": 3, "sand_size_mm": 0.5, "base_colour": [0.5, 0.5, 0.5], "roughness": 0.5}
    recipe = {**fields(inspect=["Prism"], surface=surface), "finish": finish}
    right = frame_of(stage_of(odd, recipe), 0)[0]
    bpy.ops.wm.open_mainfile(filepath=str(odd), load_ui=False)
    bpy.data.objects["Prism"].data.flip_normals()
    turned = frame_of(stage_of(saved(tmp_path / "turned.blend"), recipe), 0)[0]
    assert right["defects"].any()
    assert turned["defects"].any()
    differing = np.abs(turned["images"].astype(int) - right["images"].astype(int)).max(axis=2)
    assert (differing[(right["defects"] == 0) & (turned["defects"] == 0)] > 16).mean() < 0.02
