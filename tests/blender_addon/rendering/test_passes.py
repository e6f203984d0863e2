"""Depth, normals, albedo and objects at pixel centres, beside closed forms and the maps."""

from collections.abc import Iterator
from math import radians
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blender_addon import RenderError, render_dataset
from scenes import Dataset, DatasetError, Frame, surface_maps
from tests.blender_addon.ray_cast import rays, texels_on_arc_segment, texels_on_plate
from tests.blender_addon.recipes import changed, crowded, small

bpy = pytest.importorskip("bpy")
from blender_addon.rendering.passes import enable_passes, passes_in, render  # noqa: E402 - needs bpy
from blender_addon.rendering.stage import EXACT_FILTER_WIDTH  # noqa: E402
from blender_addon.workers import compat  # noqa: E402

pytestmark = pytest.mark.render
EVERY = ("depth", "normal", "albedo", "objects")
SINGLE = 3e-7  # of single precision, with some rounding
SIDE = 48  # pixels of the scenes below


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    """The same frames with passes of either kind of file."""
    recipe = changed(small(crowded("plate")), camera={"roll_degrees": 30})
    folder = tmp_path_factory.mktemp("passes")
    return {
        kind: render_dataset(recipe, folder / kind, 2, 3, samples=1, passes=EVERY, pass_format=kind)
        for kind in ("exr", "png")
    }


def interpolated(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Linear between the centres of texels (h, w, C), beyond the outermost as they are."""
    height, width = values.shape[:2]
    rows, columns = np.clip(rows - 0.5, 0, height - 1), np.clip(columns - 0.5, 0, width - 1)
    top, left = np.minimum(np.floor(rows).astype(int), height - 2), np.minimum(np.floor(columns).astype(int), width - 2)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    above = values[top, left] * (1 - right) + values[top, left + 1] * right
    below = values[top + 1, left] * (1 - right) + values[top + 1, left + 1] * right
    return above * (1 - down) + below * down


def seen(frame: Frame) -> np.ndarray:
    """(H, W): where the rays meet the plate."""
    rows, columns = texels_on_plate(frame.scene, (1, 1))
    return (rows > 0) & (rows < 1) & (columns > 0) & (columns < 1)


def test_depth_of_a_plate_is_the_cameras_height(plates: dict[str, Dataset]) -> None:
    for frame in plates["exr"]:
        there = seen(frame)
        assert there.any()
        assert not there.all()
        height = frame.scene.camera.position[2]
        assert abs(frame.depth[there] / height - 1).max() < SINGLE
        assert np.isinf(frame.depth[~there]).all()
        assert np.array_equal(frame.objects, there)
        assert frame.object_names == {1: "part"}


def test_albedo_and_normals_of_a_plate_are_those_of_its_maps(plates: dict[str, Dataset]) -> None:
    for frame in plates["exr"]:
        maps = surface_maps(frame.scene)
        rows, columns = texels_on_plate(frame.scene, maps.classes.shape)
        there, camera = seen(frame), frame.scene.camera
        albedo = interpolated(maps.base_colour, rows, columns)
        assert abs(frame.albedo - albedo)[there].max() < 2e-3  # Cycles' own weights between texels are of 8 bits
        assert not frame.albedo[~there].any()
        normal = interpolated(maps.normal, rows, columns)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        axes = np.array([np.cross(camera.forward, camera.up), camera.up, np.negative(camera.forward)])
        assert abs(frame.normal - normal @ axes.T)[there].max() < 5e-3
        assert not frame.normal[~there].any()
        assert np.ptp(frame.normal[there][:, 0]) > 0.1  # there is relief


def test_pngs_hold_what_openexr_does_to_half_a_step(plates: dict[str, Dataset]) -> None:
    for exact, coarse in zip(plates["exr"], plates["png"], strict=True):
        assert abs(coarse.albedo - exact.albedo).max() <= 0.5 / 65535 + SINGLE
        assert abs(coarse.normal - exact.normal).max() <= 0.5 / 32767 + SINGLE
        there = np.isfinite(exact.depth)
        assert np.array_equal(np.isfinite(coarse.depth), there)
        span = np.ptp(exact.depth[there])
        assert abs(coarse.depth[there] - exact.depth[there]).max() <= 0.5 * span / 65534 + SINGLE
        for name in ("image", "classes", "defects", "impurities", "objects"):
            assert np.array_equal(getattr(coarse, name), getattr(exact, name))


def test_passes_change_no_other_byte(plates: dict[str, Dataset], tmp_path: Path) -> None:
    without = render_dataset(plates["png"].recipe, tmp_path / "without", 2, 3, samples=1, workers=2)
    assert without.passes == ()
    for folder in ("images", "classes", "defects", "impurities"):
        for path in sorted((without.path / folder).iterdir()):
            assert (plates["png"].path / folder / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(
        DatasetError, match="asked for the pass depth, found none; render the dataset with --pass depth"
    ):
        _ = without[0].depth


def test_depth_of_an_arc_segment_is_that_of_its_cylinder(tmp_path: Path) -> None:
    recipe = small(crowded("magnetic_tile"))
    frame = render_dataset(recipe, tmp_path / "tiles", 1, 3, samples=1, passes=["depth"], pass_format="exr")[0]
    rows, columns = texels_on_arc_segment(frame.scene, (1, 1))
    there = (rows > 0.01) & (rows < 0.99) & (columns > 0.01) & (columns < 0.99)
    radius, (origin, directions) = frame.scene.part.radius, rays(frame.scene)
    x, z = directions[..., 0], directions[..., 2]
    height = origin[2] + radius
    half = origin[0] * x + height * z
    distance = (-half - np.sqrt(half**2 - (x**2 + z**2) * (origin[0] ** 2 + height**2 - radius**2))) / (x**2 + z**2)
    depth = -distance * z
    sagitta = 1e-6  # metres between the cylinder and its faces
    assert abs(frame.depth - depth)[there].max() < sagitta


@pytest.mark.parametrize("telecentric", [True, False])
def test_depth_through_a_tilted_camera_is_along_its_axis(telecentric: bool, tmp_path: Path) -> None:
    lens = {"tilt_degrees": 40, "tilt_azimuth_degrees": 70, "telecentric": telecentric}
    recipe = changed(small(crowded("plate")), camera=lens)
    frame = render_dataset(recipe, tmp_path / "set", 1, 3, samples=1, passes=["depth"], pass_format="exr")[0]
    origin, directions = rays(frame.scene)
    met = origin - (origin[..., 2] / directions[..., 2])[..., None] * directions
    depth = (met - np.array(frame.scene.camera.position)) @ np.array(frame.scene.camera.forward)
    there = seen(frame)
    assert there.any()
    assert np.ptp(depth[there]) > 0.02
    assert abs(frame.depth / depth - 1)[there].max() < 3 * SINGLE


@pytest.fixture
def scene() -> Iterator[Any]:
    """A scene of a user's: a camera that looks from aside, nothing else."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    made = bpy.context.scene
    made.render.engine = "CYCLES"
    made.cycles.samples, made.cycles.use_denoising = 1, False
    made.cycles.pixel_filter_type, made.cycles.filter_width = "BLACKMAN_HARRIS", EXACT_FILTER_WIDTH
    made.render.resolution_x = made.render.resolution_y = SIDE
    compat.write_float_exr(made.render.image_settings, layers=True)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens, camera.data.sensor_width = 50, 36
    camera.rotation_euler = (radians(35), 0, radians(20))
    made.collection.objects.link(camera)
    made.camera = camera
    bpy.context.view_layer.update()
    camera.location = camera.matrix_world.to_3x3() @ bpy_vector(0, 0, 6)
    bpy.context.view_layer.update()
    return made


def bpy_vector(*values: float) -> Any:
    import mathutils

    return mathutils.Vector(values)


def cast(camera: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The camera's place (3,), directions (H, W, 3) one deep along its axis, and its axes as rows (3, 3)."""
    axes = np.array(camera.matrix_world.to_3x3()).T
    across = (np.arange(SIDE) + 0.5 - SIDE / 2) / SIDE * 36 / 50
    seen_by_camera = np.stack(np.broadcast_arrays(across[None, :], -across[:, None], -1.0), axis=-1)
    return np.array(camera.matrix_world.translation), seen_by_camera @ axes, axes


def test_depth_and_normals_of_a_plane_and_a_sphere_are_their_closed_forms(scene: Any) -> None:
    bpy.ops.mesh.primitive_plane_add(size=20)
    bpy.context.object.pass_index = 2
    bpy.ops.mesh.primitive_uv_sphere_add(segments=512, ring_count=256, radius=1)
    ball = bpy.context.object
    ball.pass_index = 7
    ball.data.polygons.foreach_set("use_smooth", np.ones(len(ball.data.polygons), bool))
    enable_passes(scene, ("depth", "normal", "objects"))
    found = passes_in(render(scene), ("depth", "normal", "objects"), scene.camera)

    origin, directions, axes = cast(scene.camera)
    a, b, c = (directions**2).sum(axis=-1), directions @ origin, origin @ origin - 1
    hits = b**2 - a * c
    with np.errstate(invalid="ignore"):
        depth = (-b - np.sqrt(hits)) / a  # directions are one deep along the axis
    plain = -origin[2] / directions[..., 2]
    above, aside = (hits > 0) & (depth < plain), hits < -0.01
    facing = above & (hits > 0.05 * a)  # at the rim the faces' corners are seen
    assert facing.any()
    assert aside.any()
    assert (found["objects"][facing] == 7).all()
    assert (found["objects"][aside] == 2).all()
    assert abs(found["depth"] - plain)[aside].max() < 20 * SINGLE
    assert abs(found["normal"] - axes[:, 2])[aside].max() < 1e-6
    assert abs(found["depth"] - depth)[facing].max() < 2e-3
    normal = origin + depth[..., None] * directions
    assert abs(found["normal"] - normal @ axes.T)[facing].max() < 2e-3


def material(name: str) -> tuple[Any, Any]:
    made = bpy.data.materials.new(name)
    if made.node_tree is None:
        made.use_nodes = True
    bpy.context.object.data.materials.append(made)
    return made, made.node_tree


@pytest.mark.parametrize("metallic", [0.0, 1.0])
def test_albedo_is_the_base_colour_whatever_the_metal(metallic: float, scene: Any) -> None:
    bpy.ops.mesh.primitive_plane_add(size=20)
    _, tree = material("plain")
    shader = tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (0.7, 0.4, 0.1, 1)
    shader.inputs["Metallic"].default_value, shader.inputs["Roughness"].default_value = metallic, 0.05
    for _ in range(2):  # the second changes nothing
        enable_passes(scene, ("albedo",))
    albedo = passes_in(render(scene), ("albedo",), scene.camera)["albedo"]
    assert abs(albedo - np.array([0.7, 0.4, 0.1])).max() < 1e-6


def test_albedo_of_mixed_shaders_is_mixed_and_of_others_what_cycles_says(scene: Any) -> None:
    bpy.ops.mesh.primitive_plane_add(size=20)
    _, tree = material("mixed")
    mixed, diffuse = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeBsdfDiffuse")
    diffuse.inputs["Color"].default_value = (0.1, 0.2, 0.3, 1)
    tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.5, 0.6, 0.7, 1)
    mixed.inputs[0].default_value = 0.25
    tree.links.new(tree.nodes["Principled BSDF"].outputs[0], mixed.inputs[1])
    tree.links.new(diffuse.outputs[0], mixed.inputs[2])
    tree.links.new(mixed.outputs[0], tree.nodes["Material Output"].inputs["Surface"])

    bpy.ops.mesh.primitive_plane_add(size=0.8, location=scene.camera.location / 4)
    _, tree = material("seen through")
    clear, light = tree.nodes.new("ShaderNodeBsdfTranslucent"), tree.nodes["Material Output"]
    clear.inputs["Color"].default_value = (0.9, 0.8, 0.2, 1)
    tree.links.new(clear.outputs[0], light.inputs["Surface"])

    enable_passes(scene, ("albedo",))
    albedo = passes_in(render(scene), ("albedo",), scene.camera)["albedo"]
    assert abs(albedo[0, 0] - np.array([0.4, 0.5, 0.6])).max() < 1e-6
    assert abs(albedo[SIDE // 2, SIDE // 2] - np.array([0.9, 0.8, 0.2])).max() < 1e-6


def test_an_unknown_pass_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="--pass: found 'deepness'; expected depth, normal, albedo, objects"):
        render_dataset("plate", tmp_path / "set", 1, passes=["deepness"])
    assert not (tmp_path / "set").exists()
