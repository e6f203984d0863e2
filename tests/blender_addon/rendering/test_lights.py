"""What the kinds of light give in Blender, beside what follows from their geometry."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from diffusion_refine.synthesis.procedural.painting import photo_light
from procgen.surface.photo import Surface
from scenes.camera.imaging import camera_above
from scenes.camera.light import AreaPanel, Dome, Head, Light, lambert_power, ring_light
from scenes.catalogue.registry import LIGHTS
from scenes.quantities.random_stream import RandomStream

bpy = pytest.importorskip("bpy")
from blender_addon.rendering.lights import place_domes, place_panels, set_room  # noqa: E402 - needs bpy
from blender_addon.rendering.passes import picture_in, render  # noqa: E402
from blender_addon.rendering.stage import place_camera  # noqa: E402
from blender_addon.workers import compat  # noqa: E402

pytestmark = pytest.mark.render
SIDE = 16  # pixels
NOISE = 0.02  # of a mean over the picture


@pytest.fixture
def scene() -> Iterator[Any]:
    """A dark room with a plane of 40 mm in the middle of a telecentric camera's picture of 20 mm."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    made = bpy.context.scene
    made.render.engine = "CYCLES"
    made.cycles.samples, made.cycles.use_denoising, made.cycles.use_adaptive_sampling = 64, False, False
    made.cycles.max_bounces = 3
    made.cycles.pixel_filter_type = "BOX"
    made.view_settings.view_transform = "Raw"
    compat.write_float_exr(made.render.image_settings, layers=False)
    made.world = bpy.data.worlds.new("room")
    if made.world.node_tree is None:
        made.world.use_nodes = True
    set_room(made.world, Light(panels=(), ambient=0))
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    made.collection.objects.link(camera)
    made.camera = camera
    seen = camera_above(
        field_width=0.02, focal_length=0.2, sensor_width=0.01, resolution=(SIDE, SIDE), telecentric=True
    )
    place_camera(made, seen, depth_of_field=False)
    bpy.ops.mesh.primitive_plane_add(size=0.04)
    return made


def dressed(kind: str, **inputs: object) -> Any:
    """The plane, in a material of one shader."""
    plane = bpy.context.object
    material = bpy.data.materials.new(kind)
    if material.node_tree is None:
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    shader, output = tree.nodes.new(f"ShaderNodeBsdf{kind}"), tree.nodes.new("ShaderNodeOutputMaterial")
    for name, value in ({"Color": (1.0, 1.0, 1.0, 1.0)} | inputs if kind != "Principled" else inputs).items():
        shader.inputs[name].default_value = value
    tree.links.new(shader.outputs[0], output.inputs["Surface"])
    plane.data.materials.clear()
    plane.data.materials.append(material)
    return plane


def mirror(tilt: float) -> None:
    """Make the plane a mirror, tilted by so many degrees."""
    plane = dressed("Glossy", Roughness=0.0)
    plane.rotation_euler = (math.radians(tilt), 0.0, 0.0)


def taken(scene: Any, light: Light) -> np.ndarray:
    """(H, W) the picture's mean over its channels."""
    place_panels([], light.panels, scene.collection)
    place_domes([], light.domes, scene.collection)
    return picture_in(render(scene)).mean(axis=-1)


def middle(picture: np.ndarray) -> float:
    return float(picture[SIDE // 2 - 2 : SIDE // 2 + 2, SIDE // 2 - 2 : SIDE // 2 + 2].mean())


def sampled(kind: str, **fields: object) -> Light:
    section = LIGHTS[kind].recipe
    assert section is not None
    return section.model_validate({"kind": kind, **fields}).sample(Head(), RandomStream(0, 0))  # type: ignore[attr-defined,no-any-return]


def test_a_dome_lights_all_of_a_white_plane_by_pi_times_its_radiance(scene: Any) -> None:
    dressed("Diffuse")
    dome = Light(panels=(), domes=(Dome(centre=(0, 0, 0), radius=0.1, radiance=3.0),), ambient=0)
    picture = taken(scene, dome)
    assert picture.mean() == pytest.approx(3.0, rel=NOISE)  # irradiance over pi
    rows = picture.mean(axis=1)
    assert abs(rows / rows.mean() - 1).max() < 3 * NOISE


def test_a_backdrop_is_seen_and_lights_nothing(scene: Any) -> None:
    dressed("Diffuse").scale = (0.25, 0.25, 1)
    for backdrop, seen in ((None, 2.0), (0.5, 0.5), (5.0, 5.0), (None, 2.0)):
        set_room(scene.world, Light(panels=(), ambient=2.0, backdrop=backdrop))
        picture = taken(scene, Light(panels=(), ambient=0))
        assert picture[0, 0] == pytest.approx(seen, rel=1e-3)
        assert middle(picture) == pytest.approx(2.0, rel=NOISE)


def test_a_tunnel_lights_a_plane_by_what_of_the_sky_it_covers(scene: Any) -> None:
    dressed("Diffuse")
    light = sampled("tunnel", diameter_mm=40, length_mm=60, radiance_w_per_m2_sr=3)
    turn = math.atan(30 / 20)  # from straight up to the end of the tunnel
    covered = 2 * (turn + math.sin(turn) * math.cos(turn)) / math.pi  # the integral of the cosine between both ends
    assert middle(taken(scene, light)) == pytest.approx(3 * covered, rel=NOISE)


@pytest.mark.parametrize("tilt", [-50, -20, 0, 30, 45, 70])
def test_what_a_tilted_mirror_shows_of_a_tunnel(scene: Any, tilt: float) -> None:
    mirror(tilt)  # what it shows lies twice as far from the vertical, to the right of the tunnel's axis
    light = sampled(
        "tunnel", diameter_mm=60, length_mm=80, arc_degrees=240, radiance_w_per_m2_sr=2, rim_radiance_w_per_m2_sr=8,
        opening_mm=10, opening_radiance_w_per_m2_sr=0.25, imbalance=-0.3,
    )  # fmt: skip
    angle = math.radians(2 * abs(tilt))
    shown = (2 + 6 * angle / math.radians(120)) * (1 + 0.3 * math.sin(math.radians(2 * tilt)))
    expected = 0.25 if tilt == 0 else shown if angle < math.radians(120) else 0.0
    assert middle(taken(scene, light)) == pytest.approx(expected, abs=0.15)


def test_a_cap_of_a_dome_fills_the_opening_of_another(scene: Any) -> None:
    hole = math.radians(40)
    dome = Dome(centre=(0, 0, 0), radius=0.5, radiance=3.0, hole=hole)
    cap = Dome(centre=(0, 0, 0), radius=0.5, radiance=1.0, rim=hole)
    dressed("Diffuse")
    picture = taken(scene, Light(panels=(), domes=(dome, cap), ambient=0))
    assert middle(picture) == pytest.approx(3.0 * math.cos(hole) ** 2 + math.sin(hole) ** 2, rel=NOISE)
    mirror(0)
    assert middle(taken(scene, Light(panels=(), domes=(dome, cap), ambient=0))) == pytest.approx(1.0, rel=1e-3)


def test_the_opening_of_a_dome_takes_its_share_and_is_mirrored_dark(scene: Any) -> None:
    hole = math.radians(40)
    dome = Light(panels=(), domes=(Dome(centre=(0, 0, 0), radius=0.5, radiance=3.0, hole=hole),), ambient=0)
    dressed("Diffuse")
    picture = taken(scene, dome)
    assert middle(picture) == pytest.approx(3.0 * math.cos(hole) ** 2, rel=NOISE)
    mirror(0)
    assert middle(taken(scene, Light(panels=(), ambient=0))) == 0  # the dome of before is still there
    mirror(25)  # which looks 50 degrees from the vertical, past the opening
    assert middle(taken(scene, Light(panels=(), ambient=0))) == pytest.approx(3.0, rel=1e-3)


@pytest.mark.parametrize(("tilt", "bright"), [(0.0, True), (4.5, True), (6.5, False), (20.0, False)])
def test_coaxial_light_is_mirrored_by_what_faces_the_camera_alone(tilt: float, bright: bool, scene: Any) -> None:
    # At a distance of 100 mm its 40 mm reach to 11.3 degrees of the axis, which a tilt of 5.65 degrees looks along.
    mirror(tilt)
    light = sampled("coaxial", width_mm=40, distance_mm=100, radiance_w_per_m2_sr=5)
    assert middle(taken(scene, light)) == pytest.approx(5.0 if bright else 0.0, abs=0.01)


@pytest.mark.parametrize(("tilt", "bright"), [(0.0, False), (15.0, False), (35.0, True)])
def test_dark_field_is_mirrored_by_what_tilts_alone(tilt: float, bright: bool, scene: Any) -> None:
    # It comes from 70 degrees off the vertical, where a mirror looks that is tilted by half of that.
    mirror(tilt)
    light = sampled("dark_field", diameter_mm=200, elevation_degrees=20, panel_width_mm=20, power_w=10)
    panel = light.panels[0]
    expected = panel.power / (math.pi * panel.width * panel.length) if bright else 0.0
    assert middle(taken(scene, light)) == pytest.approx(expected, rel=0.01)


def test_back_light_shows_a_silhouette(scene: Any) -> None:
    plane = dressed("Diffuse")
    plane.scale = (0.5, 0.25, 1)  # 20 by 10 mm: the middle half of the picture
    light = sampled("back", width_mm=100, length_mm=100, distance_mm=20, radiance_w_per_m2_sr=6)
    rows = taken(scene, light).mean(axis=1)
    assert rows[5:-5] == pytest.approx(0.0, abs=1e-6)
    assert rows[:3] == pytest.approx(6.0, rel=1e-3)
    assert rows[-3:] == pytest.approx(6.0, rel=1e-3)


def irradiance(panel: AreaPanel) -> float:
    """What a panel gives the middle of the level plane, by summing over its surface."""
    across = np.cross(panel.direction, panel.along)
    steps = (np.arange(200) + 0.5) / 200 - 0.5
    u, v = np.meshgrid(steps * panel.width, steps * panel.length)
    points = np.array(panel.position) + u[..., None] * panel.along + v[..., None] * across
    square = (points**2).sum(axis=-1)
    cosines = points[..., 2] / np.sqrt(square) * np.maximum(-(points @ panel.direction) / np.sqrt(square), 0)
    return float((panel.power / math.pi * cosines / square).mean())


@pytest.mark.parametrize("kind", ["bar", "ring"])
def test_panels_give_the_irradiance_of_their_form_factor(kind: str, scene: Any) -> None:
    dressed("Diffuse")
    if kind == "bar":
        sizes = {"distance_mm": 60, "height_mm": 50, "length_mm": 80, "width_mm": 10, "power_w": 4}
        light = sampled("bar", bars=2, rotation_degrees=90, **sizes)
    else:
        panels = ring_light(
            diameter=0.15, height=0.1, panel_length=0.05, panel_width=0.02, tilt=0.5, rotation=0.2, scale=1,
            powers=(1.0, 0.5, 2.0),
        )  # fmt: skip
        light = Light(panels=panels, ambient=0)
    expected = sum(map(irradiance, light.panels)) / math.pi
    assert middle(taken(scene, light)) == pytest.approx(expected, rel=2 * NOISE)


def test_a_panel_of_a_radiance_is_seen_with_it(scene: Any) -> None:
    panel = AreaPanel(
        position=(0, 0, 0.05), direction=(0, 0, 1), along=(1, 0, 0), width=0.1, length=0.1,
        power=lambert_power(2.5, 0.1, 0.1), seen=True,
    )  # fmt: skip
    assert taken(scene, Light(panels=(panel,), ambient=0)) == pytest.approx(2.5, rel=1e-3)
    hidden = panel.model_copy(update={"seen": False})
    bpy.ops.object.select_all(action="DESELECT")
    for light in [thing for thing in scene.objects if thing.type == "LIGHT"]:
        bpy.data.objects.remove(light)
    assert taken(scene, Light(panels=(hidden,), ambient=0)).max() < 0.1


@pytest.mark.parametrize("tilt", [0.0, 12.0, -12.0, 30.0])
@pytest.mark.parametrize(
    ("grey", "roughness", "metallic"),
    [(0.4, 0.35, 1.0), (0.4, 0.6, 1.0), (0.05, 0.5, 1.0), (0.3, 0.5, 0.0), (0.04, 0.7, 0.0), (0.2, 0.5, 0.5)],
)
def test_layers_on_photographs_are_as_bright_as_cycles_has_them(
    tilt: float, grey: float, roughness: float, metallic: float, scene: Any
) -> None:
    sides = {"diameter_mm": 200, "height_mm": 100, "panel_length_mm": 70, "panel_width_mm": 30, "imbalance": 0.5}
    light = sampled("ring", sides=5, tilt_degrees=45, power_w=2, rotation_degrees=20, **sides)
    taken(scene, light)  # which stays
    lit = photo_light(light, None)

    def of(colour: float, rough: float, metal: float, turned: float) -> tuple[float, Surface]:
        given = {"Base Color": (*[colour] * 3, 1.0), "Roughness": rough, "Metallic": metal}
        plane = dressed("Principled", **given)
        plane.rotation_euler = (math.radians(turned), 0.0, 0.0)
        normal = np.array([[0.0, -math.sin(math.radians(turned)), math.cos(math.radians(turned))]])
        one = np.ones(1)
        return middle(taken(scene, Light(panels=(), ambient=0))), Surface(
            normal, np.full((1, 3), colour), rough * one, metal * one
        )

    before, flat = of(0.4, 0.4, 0.8, 0.0)
    after, tilted = of(grey, roughness, metallic, tilt)
    sent, below = lit.sent(tilted, flat)
    assert math.log(float(sent[0, 0] / below[0, 0])) == pytest.approx(math.log(after / before), abs=0.25)
