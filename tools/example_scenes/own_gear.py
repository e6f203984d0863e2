"""A gear with a material of its own made of pictures, on a slate in a room that is one of several HDRIs."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tools.example_scenes.making import box, camera, link, material, noisy, rings, thing_of

TEETH, MODULE, WIDTH, BORE = 22, 0.0025, 0.014, 0.008  # m; BORE: radius
STEPS = 16  # points of the outline for every tooth
SIDE = 1024  # pixels of the material's pictures
FRAMES = 60
ROOM = (256, 512)  # rows and columns of the HDRIs
Picture = NDArray[np.float32]


def build(scene: bpy.types.Scene, folder: Path) -> None:
    steel = pictured_steel()
    gear(steel)
    slate = noisy(material("Slate", Base_Color=(0.05, 0.055, 0.06)), scale=90, roughness=(0.35, 0.7), bump=3e-4)
    thing_of("Slate", *box((-0.4, -0.4, -0.02), (0.4, 0.4, 0.0)), [slate])
    rooms = folder / "rooms"
    rooms.mkdir(exist_ok=True)
    for number, name in enumerate(("workshop", "laboratory", "hall")):
        save(room(number), rooms / f"{name}.hdr")
    surround(scene, rooms / "workshop.hdr")
    orbit(scene)
    camera("Top", (0, 0, 0.26), (0, 0, 0), 95)
    scene.camera = bpy.data.objects["Orbiting"]


def gear(steel: bpy.types.Material) -> bpy.types.Object:
    """A spur gear with trapezoid teeth, a hub and a bore, its sides unwrapped onto the pictures."""
    turn = 2 * np.pi * np.arange(TEETH * STEPS) / (TEETH * STEPS)
    wave = np.clip(2.2 * np.cos(TEETH * turn) + 0.15, -1, 1)
    outline = MODULE * (TEETH / 2 + np.where(wave > 0, 1.0, 1.2) * wave)
    directions = np.column_stack([np.cos(turn), np.sin(turn)])

    def ring(radius: NDArray[np.float64] | float, height: float) -> NDArray[np.float64]:
        return np.column_stack([directions * np.reshape(radius, (-1, 1)), np.full(len(turn), height)])

    recess, rim, hub = 0.003, 0.79 * MODULE * TEETH / 2, 0.0155
    rows = [
        ring(BORE + 0.0005, 0), ring(outline - 0.0004, 0), ring(outline, 0.0004), ring(outline, WIDTH - 0.0004),
        ring(outline - 0.0004, WIDTH), ring(rim, WIDTH), ring(rim - 0.001, WIDTH - recess),
        ring(hub + 0.001, WIDTH - recess), ring(hub, WIDTH), ring(BORE + 0.0005, WIDTH), ring(BORE, WIDTH - 0.0005),
        ring(BORE, 0.0005),
    ]  # fmt: skip
    vertices, faces = rings(rows, closed=True)
    thing = thing_of("Gear", vertices, faces, [steel], smooth=25)
    layer = thing.data.uv_layers.new(name="UVMap")
    corners = np.empty(len(thing.data.loops), dtype=np.int32)
    thing.data.loops.foreach_get("vertex_index", corners)
    reach = 2.4 * MODULE * TEETH / 2
    uvs = (vertices[corners, :2] + vertices[corners, 2:] * 0.7) / reach + 0.5
    layer.data.foreach_set("uv", uvs.astype(np.float32).ravel())
    return thing


def pictured_steel() -> bpy.types.Material:
    """Principled, of four pictures that are packed into the file: colour, roughness, metallic and normals."""
    rng = np.random.default_rng(11)
    clouds = _clouds(rng, (6, 20, 60))
    heat = np.clip(1.5 * (clouds - 0.6), 0, 1)[..., None]  # tempering colours, straw to blue
    colour = (1 - heat) * np.array([0.6, 0.59, 0.57]) + heat * np.array([0.42, 0.33, 0.26])
    colour *= 1 + 0.06 * (rng.random((SIDE, SIDE, 1)) - 0.5)
    rough = 0.24 + 0.22 * _clouds(rng, (10, 40))
    scale = _clouds(rng, (25, 8))
    metal = 1 - 0.5 * np.clip(8 * (scale - 0.8), 0, 1)  # mill scale, which is no metal
    marks = gaussian_filter(rng.normal(size=(SIDE, SIDE)), (0.7, 18), mode="wrap")
    slope_x, slope_y = (np.gradient(marks / marks.std(), axis=axis) * 0.05 for axis in (1, 0))
    normal = np.dstack([-slope_x, -slope_y, np.ones_like(marks)])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    made = material("Case-hardened steel")
    tree = made.node_tree
    shader = tree.nodes["Principled BSDF"]
    normal_map = tree.nodes.new("ShaderNodeNormalMap")
    tree.links.new(normal_map.outputs["Normal"], shader.inputs["Normal"])
    for name, values, socket in (
        ("base colour", colour, shader.inputs["Base Color"]),
        ("roughness", np.dstack([rough] * 3), shader.inputs["Roughness"]),
        ("metallic", np.dstack([metal] * 3), shader.inputs["Metallic"]),
        ("normal", normal * 0.5 + 0.5, normal_map.inputs["Color"]),
    ):
        texture = tree.nodes.new("ShaderNodeTexImage")
        texture.image = packed(f"gear {name}", values, data=name != "base colour")
        tree.links.new(texture.outputs["Color"], socket)
    return made


def _clouds(rng: np.random.Generator, sizes: tuple[float, ...]) -> NDArray[np.float64]:
    """Noise of several sizes, pixels, spread evenly over 0 to 1."""
    total = sum(
        noise / noise.std()
        for noise in (gaussian_filter(rng.normal(size=(SIDE, SIDE)), size, mode="wrap") for size in sizes)
    )
    order = np.argsort(np.argsort(np.ravel(total)))
    return np.asarray(order / order.size).reshape(SIDE, SIDE)


def packed(name: str, values: NDArray[np.float64], *, data: bool) -> bpy.types.Image:
    """A picture of (rows, columns, 3) values 0 to 1 that lies within the .blend."""
    image = bpy.data.images.new(name, SIDE, SIDE, is_data=data)
    if not data:  # pixels of byte images are as stored
        values = np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
    pixels = np.dstack([values, np.ones(values.shape[:2])])
    image.pixels.foreach_set(np.clip(pixels, 0, 1).astype(np.float32).ravel())
    image.update()
    image.pack()
    return image


def room(number: int) -> Picture:
    """Linear radiance from all around, (rows, columns, 3), row 0 straight down: windows and softboxes in walls."""
    rng = np.random.default_rng(number)
    rows, columns = ROOM
    up = np.sin(np.linspace(-np.pi / 2, np.pi / 2, rows))[:, None, None]
    walls = np.array(((0.22, 0.2, 0.18), (0.3, 0.32, 0.34), (0.16, 0.18, 0.2))[number])
    seen = np.where(up < -0.05, 0.35, np.where(up > 0.75, 1.3, 1.0)) * walls * np.ones((rows, columns, 3))
    for _ in range((5, 3, 7)[number]):
        width, height = rng.integers(18, 60), rng.integers(14, 46)
        left, bottom = rng.integers(0, columns), rng.integers(int(0.55 * rows), int(0.8 * rows))
        lit = np.array([1.0, rng.uniform(0.85, 1.0), rng.uniform(0.7, 1.1)]) * rng.uniform(7, 18)
        seen[bottom : bottom + height, np.arange(left, left + width) % columns] = lit
    return gaussian_filter(seen, (1.5, 1.5, 0), mode=("nearest", "wrap", "nearest")).astype(np.float32)


def save(panorama: Picture, path: Path) -> None:
    rows, columns, _ = panorama.shape
    image = bpy.data.images.new(path.stem, columns, rows, float_buffer=True)
    image.pixels.foreach_set(np.dstack([panorama, np.ones((rows, columns), np.float32)]).ravel())
    image.filepath_raw, image.file_format = str(path), "HDR"
    image.save()
    bpy.data.images.remove(image)


def surround(scene: bpy.types.Scene, panorama: Path) -> None:
    """Light the scene by an HDRI that lies beside the file."""
    scene.world = bpy.data.worlds.new("Room")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    tree = scene.world.node_tree
    texture = tree.nodes.new("ShaderNodeTexEnvironment")
    texture.image = bpy.data.images.load(str(panorama.resolve()))
    texture.image.filepath = f"//rooms/{panorama.name}"
    tree.links.new(texture.outputs["Color"], tree.nodes["Background"].inputs["Color"])


def orbit(scene: bpy.types.Scene) -> None:
    """A camera that a pivot carries round and upwards during the animation."""
    pivot = link(bpy.data.objects.new("Pivot", None))
    data = bpy.data.cameras.new("Orbiting")
    data.lens, data.clip_start = 75, 0.001
    eye = link(bpy.data.objects.new("Orbiting", data))
    eye.parent, eye.location = pivot, (0, 0, 0.27)
    eye.rotation_euler = (0, 0, 0)
    scene.frame_start, scene.frame_end = 1, FRAMES
    for frame, azimuth, tilt in ((1, -50, 42), (FRAMES, 50, 20)):
        pivot.rotation_euler = (math.radians(tilt), 0, math.radians(azimuth))
        pivot.keyframe_insert("rotation_euler", frame=frame)
    pivot.location = (0, 0, 0.006)
    scene.frame_set(FRAMES // 2)
