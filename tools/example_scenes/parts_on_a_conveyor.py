"""A turned flange and a milled bracket on a belt, under a glowing dome through whose hole the camera looks."""

from pathlib import Path

import bpy
import numpy as np

from tools.example_scenes.making import ambient, box, camera, circle, material, noisy, rings, thing_of

ROUND = 96
DOME, HOLE, RIM = 0.24, 0.055, 0.03  # m: radius, radius of its hole, height of its rim over the belt
# Radius and height of the flange's outline, from the bore's lower edge outwards and back.
FLANGE = (
    (9, 0), (9.6, -0.6), (28.8, -0.6), (29.5, 0.1), (29.5, 5), (28.8, 5.7), (18, 5.7), (16.5, 7.2), (15.5, 15),
    (14.7, 15.8), (9.8, 15.8), (9, 15),
)  # fmt: skip
BRACKET = ((-25, -16), (33, -16), (33, -2), (-9, 2), (-11, 28), (-25, 28))  # mm, seen from above
THICKNESS, BORE = 9.0, 3.3  # mm


def build(scene: bpy.types.Scene, folder: Path) -> None:
    turned = noisy(material("Turned steel", Base_Color=(0.56, 0.56, 0.55), Metallic=1.0, Anisotropic=0.6),
                   scale=900, roughness=(0.22, 0.36), bump=5e-6)  # fmt: skip
    milled = noisy(material("Aluminium", Base_Color=(0.78, 0.79, 0.8), Metallic=1.0), scale=500, roughness=(0.28, 0.45),
                   bump=1e-5, stretch=(1, 14, 1))  # fmt: skip
    rubber = noisy(material("Belt", Base_Color=(0.012, 0.016, 0.02)), scale=700, roughness=(0.35, 0.8), bump=8e-4)
    flange(turned).location = (-0.032, 0.004, 0.0006)
    bracket(milled).location = (0.032, -0.004, 0.0)
    thing_of("Belt", *box((-0.5, -0.11, -0.004), (0.5, 0.11, 0.0)), [rubber])
    rail = noisy(material("Rail", Base_Color=(0.5, 0.5, 0.52), Metallic=1.0), scale=200, roughness=(0.3, 0.5))
    for name, side in (("Rail left", 0.11), ("Rail right", -0.125)):
        thing_of(name, *box((-0.5, side, -0.02), (0.5, side + 0.015, 0.02)), [rail])
    chips(milled)
    dome()
    ambient(scene, 0.05)
    camera("Through the dome", (0, 0, 0.52), (0, 0, 0), 118)


def flange(steel: bpy.types.Material) -> bpy.types.Object:
    rows = [circle(radius / 1e3, height / 1e3, ROUND) for radius, height in FLANGE]
    vertices, faces = rings(rows, closed=True)
    return thing_of("Flange", vertices, faces, [steel], smooth=30)


def bracket(aluminium: bpy.types.Material) -> bpy.types.Object:
    """An extruded outline with two bores, cut and chamfered by modifiers."""
    count = len(BRACKET)
    vertices = [(x / 1e3, y / 1e3, z / 1e3) for z in (0, THICKNESS) for x, y in BRACKET]
    sides = [(k, (k + 1) % count, count + (k + 1) % count, count + k) for k in range(count)]
    thing = thing_of(
        "Bracket", vertices, [tuple(range(count))[::-1], tuple(range(count, 2 * count)), *sides], [aluminium]
    )
    edges = thing.modifiers.new("Edges", "BEVEL")
    edges.width, edges.segments = 0.0008, 2
    for number, (x, y) in enumerate(((23, -9), (-18, 20))):
        rows = [circle(BORE / 1e3, height / 1e3, 48) for height in (-2, THICKNESS + 2)]
        outline, around = rings(rows)
        cutter = thing_of(f"Bore.{number}", outline, [*around, tuple(range(48))[::-1], tuple(range(48, 96))])
        cutter.parent, cutter.location = thing, (x / 1e3, y / 1e3, 0)
        cutter.hide_render, cutter.display_type = True, "WIRE"
        cut = thing.modifiers.new(f"Bore {number}", "BOOLEAN")
        cut.operation, cut.object = "DIFFERENCE", cutter
    return thing


def chips(metal: bpy.types.Material) -> None:
    """Curled swarf, in a collection of its own."""
    collection = bpy.data.collections.new("Chips")
    bpy.context.scene.collection.children.link(collection)
    rng = np.random.default_rng(4)
    for number in range(9):
        length, radius = rng.uniform(1.5, 4.0), rng.uniform(0.002, 0.0035)
        angles = np.linspace(0, 2 * np.pi * length, 40)
        inner = np.column_stack([radius * np.cos(angles), radius * np.sin(angles), 0.001 * angles / np.pi + 0.0005])
        outer = inner + np.array([0, 0, 0.0012])
        faces = [(k, k + 1, 41 + k, 40 + k) for k in range(39)]
        thing = thing_of(f"Chip.{number}", np.concatenate([inner, outer]), faces, [metal], smooth=180)
        bpy.context.scene.collection.objects.unlink(thing)
        collection.objects.link(thing)
        thing.location = (rng.uniform(-0.06, 0.06), rng.choice((-1, 1)) * rng.uniform(0.035, 0.046), radius)
        thing.rotation_euler = (np.pi / 2, 0, rng.uniform(0, 6.28))


def dome() -> bpy.types.Object:
    heights = np.linspace(0, np.arccos(HOLE / DOME), 24)
    rows = [circle(DOME * np.cos(angle), RIM + DOME * np.sin(angle), ROUND) for angle in heights]
    vertices, faces = rings(rows)
    glow = bpy.data.materials.new("Glow")
    if glow.node_tree is None:
        glow.use_nodes = True
    tree = glow.node_tree
    tree.nodes.clear()
    emission, output = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    emission.inputs["Color"].default_value, emission.inputs["Strength"].default_value = (1.0, 0.97, 0.93, 1.0), 1.6
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    return thing_of("Dome", vertices, faces, [glow], smooth=180)
