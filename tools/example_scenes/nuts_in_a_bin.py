"""Zinc-plated nuts M10 in a plastic bin on a bench; the recipe drops them into it."""

from pathlib import Path

import bpy
import numpy as np

from tools.example_scenes.making import ambient, area_light, box, camera, circle, material, noisy, rings, thing_of

NUTS = 24
FLATS, HEIGHT, BORE = 0.016, 0.008, 0.0085  # m: ISO 4032, M10 in the core
ROUND = 72  # points of every ring; whole sixths are the corners
INSIDE, WALL, DEPTH = (0.094, 0.074), 0.003, 0.045


def build(scene: bpy.types.Scene, folder: Path) -> None:
    zinc = noisy(
        material("Zinc", Base_Color=(0.62, 0.65, 0.7), Metallic=1.0), scale=700, roughness=(0.22, 0.42), bump=2e-5
    )
    first = nut(zinc, thread())
    for number in range(1, NUTS):
        another = bpy.data.objects.new(f"Nut.{number:03d}", first.data)
        scene.collection.objects.link(another)
    for number, thing in enumerate(thing for thing in scene.objects if thing.name.startswith("Nut")):
        thing.location = (0.12 + 0.025 * (number % 4), 0.025 * (number // 4) - 0.06, HEIGHT / 2)
    plastic = noisy(material("Plastic", Base_Color=(0.03, 0.1, 0.28)), scale=900, roughness=(0.3, 0.5), bump=1e-5)
    tray(plastic)
    wood = noisy(
        material("Bench", Base_Color=(0.32, 0.3, 0.27)), scale=60, roughness=(0.5, 0.75), bump=2e-4, stretch=(1, 12, 1)
    )
    thing_of("Bench", *box((-0.6, -0.6, -0.02), (0.6, 0.6, 0.0)), [wood])
    area_light("Softbox", (-0.25, 0.1, 0.45), (0, 0, 0.02), 0.3, 5.0)
    area_light("Key", (0.3, -0.25, 0.35), (0, 0, 0.02), 0.06, 2.5)
    ambient(scene, 0.25)
    camera("Above", (0.0, -0.08, 0.3), (0, 0, 0.012), 75)


def nut(*materials: bpy.types.Material) -> bpy.types.Object:
    """A hexagon nut whose corners are chamfered by a cone of 30°, with countersunk bore."""
    angles = 2 * np.pi * np.arange(ROUND) / ROUND
    sector = (angles + np.pi / 6) % (np.pi / 3) - np.pi / 6
    outline = FLATS / 2 / np.cos(sector)
    chamfer = 0.95 * FLATS / 2
    fall = np.maximum(outline - chamfer, 0) * np.tan(np.radians(30))
    half, core, sunk = HEIGHT / 2, BORE / 2, 0.58 * BORE

    def edge(sign: int) -> np.ndarray:
        return np.column_stack([outline * np.cos(angles), outline * np.sin(angles), sign * (half - fall)])

    sink = (sunk - core) * np.tan(np.radians(30))
    rows = [
        circle(core, -(half - sink), ROUND),
        circle(sunk, -half, ROUND),
        circle(chamfer, -half, ROUND),
        edge(-1),
        edge(1),
        circle(chamfer, half, ROUND),
        circle(sunk, half, ROUND),
        circle(core, half - sink, ROUND),
    ]
    vertices, faces = rings(rows, closed=True)
    in_bore = [face[0] >= 7 * ROUND for face in faces]
    return thing_of("Nut.000", vertices, faces, materials, in_bore, smooth=20)


def thread() -> bpy.types.Material:
    """Bands around the bore, 1.5 mm apart."""
    made = material("Thread", Base_Color=(0.5, 0.52, 0.55), Metallic=1.0, Roughness=0.4)
    nodes, links = made.node_tree.nodes, made.node_tree.links
    wave, relief, coordinates = (nodes.new(f"ShaderNode{kind}") for kind in ("TexWave", "Bump", "TexCoord"))
    wave.bands_direction = "Z"
    wave.inputs["Scale"].default_value = 1 / 0.0015 / 3.18
    relief.inputs["Distance"].default_value = 0.0008
    links.new(coordinates.outputs["Object"], wave.inputs["Vector"])
    links.new(wave.outputs["Fac"], relief.inputs["Height"])
    links.new(relief.outputs["Normal"], nodes["Principled BSDF"].inputs["Normal"])
    return made


def tray(plastic: bpy.types.Material) -> bpy.types.Object:
    """A bin without a lid, of even walls that lean out a little."""
    x, y = INSIDE[0] / 2, INSIDE[1] / 2

    def frame(grown: float, height: float) -> np.ndarray:
        return np.array(
            [(sx * (x + grown), sy * (y + grown), height) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        )

    lean = 0.004
    rows = [frame(WALL, 0), frame(WALL + lean, DEPTH), frame(lean, DEPTH), frame(0, WALL)]
    vertices, faces = rings(rows)
    floor, bottom = tuple(range(12, 16)), tuple(range(3, -1, -1))
    return thing_of("Bin", vertices, [*faces, floor, bottom], [plastic])
